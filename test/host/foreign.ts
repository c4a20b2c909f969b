import { constants, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";
import { type AttributeValue, encodeAttribute, findAttribute } from "./attributes.ts";
import { type CelExpression, type CelValue, parseCel } from "./cel.ts";
import type { Context } from "./context.ts";
import { latin1 } from "./pairs.ts";
import { readMessage, writeMessage } from "./proto-message.ts";
import { Status } from "./status.ts";
import type { Vm } from "./vm.ts";

// Envoy's foreign functions (source/extensions/common/wasm/foreign.cc), as far as a host without Envoy can have them.

type Answer = Uint8Array | number;

/** What a root keeps for them. */
export interface ForeignState {
  /** Declared properties by name: whether they can be set only once. */
  readonly declared: Map<string, boolean>;
  readonly expressions: Map<number, CelExpression>;
  lastExpression: number;
}

export const newForeignState = (): ForeignState => ({
  declared: new Map(),
  expressions: new Map(),
  lastExpression: -1,
});

const NOTHING = new Uint8Array();
const HASHES = new Set(["sha1", "sha224", "sha256", "sha384", "sha512"]);
// Objects that stock Envoy has factories for, and that take any text.
const STATE_FACTORIES = new Set([
  "envoy.tcp_proxy.cluster",
  "envoy.network.upstream_server_name",
  "envoy.network.application_protocols",
  "envoy.network.upstream_subject_alt_names",
  "envoy.string",
  "envoy.upstream.dynamic_host",
]);

function tried<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function publicKey(fields: ReadonlyMap<number, Uint8Array | number>): KeyObject | undefined {
  const pem = fields.get(5);
  return tried(() =>
    pem instanceof Uint8Array
      ? createPublicKey(Buffer.from(pem))
      : createPublicKey({ key: Buffer.from((fields.get(2) as Uint8Array) ?? NOTHING), format: "der", type: "spki" }),
  );
}

function privateKey(fields: ReadonlyMap<number, Uint8Array | number>): KeyObject | undefined {
  const pem = fields.get(4);
  return tried(() =>
    pem instanceof Uint8Array
      ? createPrivateKey(Buffer.from(pem))
      : createPrivateKey({ key: Buffer.from((fields.get(2) as Uint8Array) ?? NOTHING), format: "der", type: "pkcs8" }),
  );
}

function verifySignature(argument: Uint8Array): Answer {
  const fields = readMessage(argument);
  if (!fields) return Status.BadArgument;
  const [hash, key] = [Buffer.from((fields.get(1) as Uint8Array) ?? NOTHING).toString(), publicKey(fields)];
  if (!key) return writeMessage([[2, "Failed to import public key"]]);
  if (!HASHES.has(hash)) return writeMessage([[2, `${hash} is not supported.`]]);
  const good = tried(() =>
    verify(
      hash,
      Buffer.from((fields.get(4) as Uint8Array) ?? NOTHING),
      { key, padding: constants.RSA_PKCS1_PADDING },
      Buffer.from((fields.get(3) as Uint8Array) ?? NOTHING),
    ),
  );
  return good ? writeMessage([[1, 1]]) : writeMessage([[2, "Failed to verify digest"]]);
}

function signText(argument: Uint8Array): Answer {
  const fields = readMessage(argument);
  if (!fields) return Status.BadArgument;
  const [hash, key] = [Buffer.from((fields.get(1) as Uint8Array) ?? NOTHING).toString(), privateKey(fields)];
  if (!key) return writeMessage([[3, "Failed to import private key"]]);
  const signature = HASHES.has(hash)
    ? tried(() =>
        sign(hash, Buffer.from((fields.get(3) as Uint8Array) ?? NOTHING), {
          key,
          padding: constants.RSA_PKCS1_PADDING,
        }),
      )
    : undefined;
  return signature
    ? writeMessage([
        [1, 1],
        [2, signature],
      ])
    : writeMessage([[3, `${hash} is not supported.`]]);
}

function setFilterState(context: Context, argument: Uint8Array): Answer {
  const fields = readMessage(argument);
  if (!fields) return Status.BadArgument;
  const [path, value] = [latin1((fields.get(1) as Uint8Array) ?? NOTHING), (fields.get(2) as Uint8Array) ?? NOTHING];
  if (!STATE_FACTORIES.has(path) || !context.stream) return Status.NotFound;
  context.stream.filterState.set(path, value);
  return NOTHING;
}

function declareProperty({ root }: Context, argument: Uint8Array): Answer {
  const fields = readMessage(argument);
  if (!fields) return Status.BadArgument;
  const name = latin1((fields.get(1) as Uint8Array) ?? NOTHING);
  if (root.foreign.declared.has(name)) return Status.BadArgument;
  root.foreign.declared.set(name, fields.get(2) === 1);
  return NOTHING;
}

function createExpression({ root }: Context, text: string): Answer {
  const expression = parseCel(text);
  if (!expression) return Status.BadArgument;
  root.foreign.expressions.set(++root.foreign.lastExpression, expression);
  return new Uint8Array(Uint32Array.of(root.foreign.lastExpression).buffer);
}

function celValue(value: AttributeValue | undefined): CelValue | undefined {
  if (value instanceof Uint8Array) return latin1(value);
  if (typeof value === "bigint") return Number(value);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

function evaluateExpression({ root, stream }: Context, argument: Uint8Array): Answer {
  if (argument.length !== 4) return Status.BadArgument;
  const expression = root.foreign.expressions.get(
    new DataView(argument.buffer, argument.byteOffset).getUint32(0, true),
  );
  if (!expression) return Status.NotFound;
  const value = expression((path) => celValue(findAttribute(stream?.attributeTrees ?? [], path)));
  if (value === undefined) return Status.InternalFailure;
  const encoded = encodeAttribute(value, false);
  return "bytes" in encoded ? encoded.bytes : encoded.status;
}

function deleteExpression({ root }: Context, argument: Uint8Array): Answer {
  if (argument.length !== 4) return Status.BadArgument;
  root.foreign.expressions.delete(new DataView(argument.buffer, argument.byteOffset).getUint32(0, true));
  return NOTHING;
}

/** What Envoy's function `name` answers: bytes, or a status; NotFound if there is none. */
export function callForeignFunction(vm: Vm, name: string, argument: Uint8Array): Answer {
  const context = vm.context;
  switch (name) {
    case "clear_route_cache":
      context.stream?.clearRouteCache();
      return NOTHING;
    case "compress":
      return deflateSync(argument);
    case "uncompress":
      return tried(() => inflateSync(argument)) ?? Status.SerializationFailure;
    case "verify_signature":
      return verifySignature(argument);
    case "sign":
      return signText(argument);
    case "set_envoy_filter_state":
      return setFilterState(context, argument);
    case "declare_property":
      return declareProperty(context, argument);
    case "expr_create":
      return createExpression(context, Buffer.from(argument).toString());
    case "expr_evaluate":
      return evaluateExpression(context, argument);
    case "expr_delete":
      return deleteExpression(context, argument);
    default:
      return Status.NotFound;
  }
}
