import { describe, expect, it } from "vitest";
import { lines, networking, validate } from "./testing.ts";

describe("aliases of the circuit breaker", () => {
  const spec =
    "host: a\ntrafficPolicy:\n  connectionPoolSettings: {http: {http1MaxPendingRequests: 10}}\n" +
    "  httpCircuitBreaker: {consecutiveErrors: 3, interval: 1s, maxRequests: 10, openDuration: 5s, " +
    "sleepWindow: 5s}";

  it("take effect as the standard fields, each with a warning", () => {
    const result = validate(networking("DestinationRule", spec));
    expect(result.kind === "accepted" && result.object.spec).toEqual({
      host: "a",
      trafficPolicy: {
        connectionPool: { http: { http1MaxPendingRequests: 10, http2MaxRequests: 10 } },
        outlierDetection: {
          consecutive5xxErrors: 3,
          interval: "1s",
          baseEjectionTime: "5s",
          maxEjectionPercent: 100,
        },
      },
    });
    expect(lines(result.violations)).toEqual([
      "7:5 warning spec.trafficPolicy.connectionPoolSettings: is deprecated: write connectionPool instead",
      "8:26 warning spec.trafficPolicy.httpCircuitBreaker.consecutiveErrors: is deprecated: " +
        "write outlierDetection.consecutive5xxErrors instead",
      "8:48 warning spec.trafficPolicy.httpCircuitBreaker.interval: is deprecated: " +
        "write outlierDetection.interval instead",
      "8:79 warning spec.trafficPolicy.httpCircuitBreaker.openDuration: is deprecated: " +
        "write outlierDetection.baseEjectionTime instead",
      "8:97 warning spec.trafficPolicy.httpCircuitBreaker.sleepWindow: is deprecated: " +
        "write outlierDetection.baseEjectionTime instead",
      "8:62 warning spec.trafficPolicy.httpCircuitBreaker.maxRequests: is deprecated: " +
        "write connectionPool.http.http2MaxRequests instead",
    ]);
  });

  it("are refused when strict", () => {
    const result = validate(networking("DestinationRule", spec), true);
    expect(result.kind).toBe("refused");
    expect(result.violations.every(({ severity }) => severity === "error")).toBe(true);
  });

  it("must not contradict each other or standard fields", () => {
    const result = validate(
      networking(
        "DestinationRule",
        "host: a\ntrafficPolicy:\n  outlierDetection: {interval: 2s}\n  httpCircuitBreaker: {interval: 1s}",
      ),
    );
    expect(lines(result.violations)).toEqual([
      "8:26 error spec.trafficPolicy.httpCircuitBreaker.interval: " +
        "is a deprecated alias of outlierDetection.interval, which has another value already: " +
        "write only outlierDetection.interval",
    ]);
  });

  it("are judged where they are written, in subsets and port settings too", () => {
    const result = validate(
      networking(
        "DestinationRule",
        "host: a\nsubsets:\n- name: v1\n  trafficPolicy:\n    portLevelSettings:\n    - port: {number: 80}\n" +
          "      httpCircuitBreaker: {interval: soon, unheard: 1}",
      ),
    );
    expect(lines(result.violations).filter((line) => line.includes("error"))).toEqual([
      "11:46 error spec.subsets[0].trafficPolicy.portLevelSettings[0].httpCircuitBreaker.unheard: " +
        'unknown field "unheard"',
      "11:30 error spec.subsets[0].trafficPolicy.portLevelSettings[0].httpCircuitBreaker.interval: " +
        'is not a duration: write it like "2s", "0.5s" or "1m30s", not "soon"',
    ]);
  });
});
