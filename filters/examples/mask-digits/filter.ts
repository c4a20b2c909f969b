// Replaces every digit in responses' bodies by "#", piece by piece as they pass: nothing is held, and the length stays.
import {
  BufferType,
  BytesWriter,
  FilterDataStatus,
  HttpContext,
  readBuffer,
  registerRoot,
  RootContext,
  writeBuffer,
} from "as-proxy-wasm-sdk";

const PIECE = new BytesWriter(65536); // grows to the largest piece and stays

class MaskDigits extends RootContext {
  override createHttpContext(): HttpContext {
    return new MaskDigitsStream();
  }
}

class MaskDigitsStream extends HttpContext {
  override onResponseBody(size: u32, endOfStream: bool): FilterDataStatus {
    if (size == 0) return FilterDataStatus.Continue;
    const body = readBuffer(BufferType.HttpResponseBody, 0, size);
    PIECE.clear().bytes(body);
    for (let i = 0; i < body.length; i++) if (body.at(i) - 0x30 < 10) PIECE.set(i, 0x23);
    writeBuffer(BufferType.HttpResponseBody, 0, size, PIECE.result);
    return FilterDataStatus.Continue;
  }
}

registerRoot(() => new MaskDigits());
