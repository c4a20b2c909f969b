import { describe, expect, it } from "vitest";
import { formatFault } from "./command-operators.ts";

// Each was tried on Envoy 1.40, in the value of a header and in the format of an access log.
describe("what Envoy knows of command operators", () => {
  it.each([
    "",
    "plain",
    "100%%",
    "%%START_TIME%%",
    "%DOWNSTREAM_REMOTE_ADDRESS%",
    "%START_TIME(%s.%3f)%",
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH):20%%RESP(server)%",
    "%FILTER_STATE(a:PLAIN):3%",
    "%GRPC_STATUS(CAMEL_STRING)%",
    "%QUERY_PARAMS(ORIG)%",
    "%PATH(WQ:ORIG)%",
    "%METADATA(ROUTE:istio)%",
    "%COMMON_DURATION(DS_RX_BEG:DS_RX_END:ms)%",
    "%CEL(request.path)%",
    '%UPSTREAM_METADATA(["a", "b"])%',
    '%COALESCE({"operators": ["PROTOCOL"]})%',
  ])("%s", (format) => {
    expect(formatFault(format)).toBeUndefined();
  });

  it.each([
    ["100%", "write %% for a percent sign"],
    ["a%b", "write %% for a percent sign"],
    ["%%%", "write %% for a percent sign"],
    ["%START_TIME%%", "write %% for a percent sign"],
    ["%REQ(a%", "write %% for a percent sign"],
    ["%req(x)%", "write %% for a percent sign"],
    ["%NODE_ZONE%", "uses %NODE_ZONE%, which is no operator of Envoy"],
    ["%REQ_WITHOUT_QUERY(X)%", "no operator of Envoy"],
    ["%REQ%", "takes HEADER or HEADER?OTHER"],
    ["%REQ(a?b?c)%", "takes HEADER or HEADER?OTHER"],
    ["%REQ(a b)%", "takes HEADER or HEADER?OTHER"],
    ["%PROTOCOL(x)%", "takes no parameters"],
    ["%PROTOCOL:3%", "cannot be cut"],
    ["%START_TIME(%Y):3%", "cannot be cut"],
    ["%DYNAMIC_METADATA%", "takes (NAMESPACE:KEY)"],
    ["%FILTER_STATE(a:FIELD)%", "takes (KEY:PLAIN)"],
    ["%GRPC_STATUS(X)%", "takes (CAMEL_STRING)"],
    ["%PATH(x)%", "takes (WQ) or (NQ)"],
    ["%METADATA(NODE:a)%", "takes (TYPE:NAMESPACE:KEY)"],
    ["%COMMON_DURATION(a)%", "takes (FROM:TO:ms)"],
    ["%CEL(request.)%", "must be a valid CEL expression"],
  ])("not %s", (format, fault) => {
    expect(formatFault(format)).toContain(fault);
  });
});
