// The gRPC service of the test workloads; its messages are JSON, so that no code needs to be generated.

const encode = (message) => Buffer.from(JSON.stringify(message));
const decode = (bytes) => JSON.parse(bytes.toString("utf8"));
const codec = {
  requestSerialize: encode,
  requestDeserialize: decode,
  responseSerialize: encode,
  responseDeserialize: decode,
};

export const echo = {
  unary: { path: "/test.Echo/Unary", requestStream: false, responseStream: false, ...codec },
  broken: { path: "/test.Echo/Broken", requestStream: false, responseStream: false, ...codec },
  chat: { path: "/test.Echo/Chat", requestStream: true, responseStream: true, ...codec },
};
