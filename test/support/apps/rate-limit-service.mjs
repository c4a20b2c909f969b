// A rate limit service for tests: envoy.service.ratelimit.v3 over gRPC, with fixed windows kept in memory, as Envoy's
// own reference service keeps them in Redis. LIMIT requests per UNIT (SECOND, MINUTE, HOUR) for each descriptor of each
// domain; PORT, HOST (default 127.0.0.1). It counts refused hits too.
import grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";

const { root } = protobuf.parse(
  `syntax = "proto3";
  message Entry { string key = 1; string value = 2; }
  message Descriptor { repeated Entry entries = 1; }
  message Request { string domain = 1; repeated Descriptor descriptors = 2; uint32 hits_addend = 3; }
  message RateLimit { uint32 requests_per_unit = 1; int32 unit = 2; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message Status {
    int32 code = 1; RateLimit current_limit = 2; uint32 limit_remaining = 3; Duration duration_until_reset = 4;
  }
  message Response { int32 overall_code = 1; repeated Status statuses = 2; }`,
  { keepCase: true },
);
const [Request, Response] = ["Request", "Response"].map((name) => root.lookupType(name));
const OK = 1,
  OVER_LIMIT = 2;
const UNITS = {
  SECOND: { number: 1, ms: 1_000 },
  MINUTE: { number: 2, ms: 60_000 },
  HOUR: { number: 3, ms: 3_600_000 },
};

const definition = {
  shouldRateLimit: {
    path: "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => message,
    requestDeserialize: (bytes) => Request.decode(bytes),
    responseSerialize: (message) => Buffer.from(Response.encode(Response.fromObject(message)).finish()),
    responseDeserialize: (bytes) => bytes,
  },
};

/** Starts it; `calls` holds every request as it came. */
export function startRateLimitService({ limit, unit = "HOUR", host = "127.0.0.1", port = 0 }) {
  const windows = new Map();
  const calls = [];
  const { number, ms } = UNITS[unit];
  const status = (domain, { entries }, hits) => {
    const key = JSON.stringify([domain, entries.map((entry) => [entry.key, entry.value])]);
    const now = Date.now(),
      window = Math.floor(now / ms);
    const last = windows.get(key);
    const count = (last?.window === window ? last.count : 0) + hits;
    windows.set(key, { window, count });
    return {
      code: count > limit ? OVER_LIMIT : OK,
      current_limit: { requests_per_unit: limit, unit: number },
      limit_remaining: Math.max(0, limit - count),
      duration_until_reset: { seconds: Math.ceil(((window + 1) * ms - now) / 1000) },
    };
  };
  const server = new grpc.Server();
  server.addService(definition, {
    shouldRateLimit: ({ request }, answer) => {
      const seen = Request.toObject(request);
      calls.push(seen);
      const statuses = request.descriptors.map((descriptor) =>
        status(request.domain, descriptor, seen.hits_addend ?? 1),
      );
      answer(null, { overall_code: statuses.some(({ code }) => code === OVER_LIMIT) ? OVER_LIMIT : OK, statuses });
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve({ port: bound, calls, stop: () => server.forceShutdown() }),
    );
  });
}

const { PORT, HOST, LIMIT, UNIT } = process.env;
if (PORT !== undefined && LIMIT !== undefined)
  await startRateLimitService({
    limit: Number(LIMIT),
    ...(UNIT && { unit: UNIT }),
    ...(HOST && { host: HOST }),
    port: Number(PORT),
  });
