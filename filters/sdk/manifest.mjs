// Puts what a module's author says of it into the module, as the custom section `scrim.manifest`
// (https://webassembly.github.io/spec/core/binary/modules.html#custom-section). docs/plugins.md says what it may say.

const SECTION = "scrim.manifest";

/** Returns the module with the manifest in it, or undefined where the text is no JSON object. */
export function withManifest(module, text) {
  const manifest = parsed(text);
  if (typeof manifest !== "object" || manifest === null || Array.isArray(manifest)) return undefined;
  const name = Buffer.from(SECTION);
  const body = Buffer.concat([leb128(name.length), name, Buffer.from(JSON.stringify(manifest))]);
  return Buffer.concat([module, Buffer.of(0), leb128(body.length), body]);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function leb128(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
