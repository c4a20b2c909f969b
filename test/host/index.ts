// proxy-wasm-host: runs a proxy-wasm filter module in Node as Envoy would run it.
export type { AttributeTree, AttributeValue } from "./attributes.ts";
export { checkModule, type CheckResult } from "./check-module.ts";
export { checkModuleInChild, type CheckRequest } from "./check-module-child.ts";
export type { HostCall, ForeignFunction } from "./environment.ts";
export type { ConnectionOptions, TcpConnection } from "./connection.ts";
export type { Attributes } from "./known-attributes.ts";
export { type Failure, HostError } from "./errors.ts";
export type { Fault } from "./faults.ts";
export type { GrpcCall } from "./grpc-call.ts";
export { HeaderMap, type HeadersInput } from "./header-map.ts";
export { type ChangeResult, createHost, type Host, startHost, type StartResult, type StartStage } from "./host.ts";
export type { HostOptions, ReloadOptions } from "./host-options.ts";
export type { HttpCall } from "./http-call.ts";
export type { LocalReply } from "./local-reply.ts";
export type { FailurePolicy } from "./plugin.ts";
export {
  type CalloutAnswer,
  configurationText,
  type Exchange,
  exchangeName,
  type Expectation,
  type FilterMetadata,
  headerOf,
  type Observation,
  type Peer,
  type Scenario,
  type ScenarioHeaders,
  type ScenarioOutcome,
  scenarioProblems,
  type ScenarioRunner,
  type SeenCallout,
  type Wanted,
} from "./scenario.ts";
export { clusterName, createHostRunner, headerPairs, nextAnswer, runInHost } from "./scenario-host.ts";
export { type LogEntry, type LogLevel, Status } from "./status.ts";
export type { StrictLimits } from "./strict.ts";
export { encodeStructValue, type JsonValue } from "./struct-value.ts";
export type { HttpStream } from "./stream.ts";
export type { Outcome, StreamOptions } from "./stream-options.ts";
