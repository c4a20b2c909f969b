import { describe } from "vitest";
import { accepts, refuses, warns } from "./testing.ts";

const route = "route: [{destination: {host: a}}]";
const vs = (http: string) => `{hosts: [a.com], http: [{${http}}]}`;
const cors = (policy: string) => vs(`${route}, corsPolicy: {${policy}}`);
const match = (fields: string) => vs(`match: [{${fields}}], ${route}`);

describe("VirtualService refuses", () => {
  refuses([
    ["VirtualService", "{hosts: [a.com]}", "http: is required"],
    ["VirtualService", `{hosts: ["*"], http: [{${route}}]}`, "hosts[0]: * is not allowed for sidecars"],
    [
      "VirtualService",
      `{hosts: [a.com, A.com], http: [{${route}}]}`,
      'hosts[1]: "A.com" and "a.com" cover the same hosts',
    ],
    ["VirtualService", `{hosts: ["a.*.com"], http: [{${route}}]}`, "hosts[0]: can have * only as its first label"],
    ["VirtualService", `{hosts: ["a.com:80"], http: [{${route}}]}`, "hosts[0]: must be a host without a port"],
    ["VirtualService", `{hosts: [ns/a.com], http: [{${route}}]}`, "hosts[0]: must be a host without a namespace"],
    [
      "VirtualService",
      `{hosts: [a.com], gateways: [a/b/c], http: [{${route}}]}`,
      "gateways[0]: must be name or namespace/name",
    ],
    [
      "VirtualService",
      `{hosts: [a.com], exportTo: ["*", ns], http: [{${route}}]}`,
      "exportTo[0]: * cannot stand beside",
    ],
    ["VirtualService", `{hosts: [a.com], exportTo: ["B!"], http: [{${route}}]}`, "exportTo[0]: must be at most 63"],
    ["VirtualService", "{hosts: [a.com], tcp: [{}], tls: [{}]}", "tcp[0].route: is required"],
    ["VirtualService", vs("match: [{uri: {prefix: /}}]"), "http[0].route: is required"],
    ["VirtualService", vs("route: []"), "http[0].route: is required"],
    ["VirtualService", vs(`${route}, redirect: {uri: /b}`), "http[0].redirect: cannot stand beside route"],
    ["VirtualService", vs("redirect: {uri: /b}, rewrite: {uri: /c}"), "http[0].rewrite: needs a route"],
    ["VirtualService", vs(`${route}, rewrite: {}`), "http[0].rewrite: needs uri, uriRegexRewrite or authority"],
    [
      "VirtualService",
      vs(`${route}, rewrite: {uri: /a, uriRegexRewrite: {match: a, rewrite: b}}`),
      "rewrite.uriRegexRewrite: only one of uri, uriRegexRewrite can be set",
    ],
    ["VirtualService", vs(`${route}, rewrite: {uriRegexRewrite: {match: a}}`), "uriRegexRewrite.rewrite: is required"],
    ["VirtualService", vs(`${route}, rewrite: {uriRegexRewrite: {match: "(", rewrite: b}}`), "match: is not a regular"],
    [
      "VirtualService",
      vs(`${route}, rewrite: {uriRegexRewrite: {match: "/(a)/(b)", rewrite: '/\\3'}}`),
      "uriRegexRewrite.rewrite: names group 3, and the match has 2",
    ],
    [
      "VirtualService",
      vs(`${route}, rewrite: {uriRegexRewrite: {match: "a", rewrite: '/\\a'}}`),
      "uriRegexRewrite.rewrite: has a backslash before neither a digit nor a backslash",
    ],
    [
      "VirtualService",
      vs(`${route}, rewrite: {uriRegexRewrite: {match: "a", rewrite: "a\\nb"}}`),
      "uriRegexRewrite.rewrite: ",
    ],
    [
      "VirtualService",
      vs("redirect: {uri: /b}, fault: {abort: {httpStatus: 500}}"),
      "fault: cannot stand beside redirect",
    ],
    [
      "VirtualService",
      vs("match: [{uri: {exact: /a}}], redirect: {prefixRewrite: /b}"),
      "redirect.prefixRewrite: needs each match of a uri to be a prefix",
    ],
    ["VirtualService", vs(`${route}, delegate: {name: d}`), "http[0].route: cannot stand beside delegate"],
    [
      "VirtualService",
      vs("redirect: {uri: /b}, delegate: {name: d}"),
      "http[0].redirect: cannot stand beside delegate",
    ],
    ["VirtualService", vs("delegate: {}"), "http[0].delegate.name: is required"],
    [
      "VirtualService",
      "{http: [{delegate: {name: d}}]}",
      "http[0].delegate: cannot stand in a VirtualService without hosts",
    ],
    [
      "VirtualService",
      cors("allowMethods: [GETT]"),
      'allowMethods[0]: "GETT" is no method of HTTP; did you mean "GET"?',
    ],
    ["VirtualService", cors("allowHeaders: ['a b']"), "corsPolicy.allowHeaders[0]: "],
    ["VirtualService", cors("exposeHeaders: ['']"), "corsPolicy.exposeHeaders[0]: "],
    ["VirtualService", cors("maxAge: 1500ms"), 'maxAge: must be whole seconds, not "1500ms"'],
    ["VirtualService", cors("allowOrigins: [{prefix: ''}]"), "allowOrigins[0].prefix: must not be empty"],
    ["VirtualService", cors("allowOrigins: [{}]"), "allowOrigins[0]: one of exact, prefix, regex is required"],
    ["VirtualService", cors("allowOrigins: [{regex: '('}]"), "allowOrigins[0].regex: is not a regular expression"],
    ["VirtualService", vs("redirect: {}"), "http[0].redirect: must change"],
    [
      "VirtualService",
      vs("redirect: {uri: /a, redirectCode: 304}"),
      "redirectCode: must be one of 301, 302, 303, 307, 308",
    ],
    ["VirtualService", vs("redirect: {port: 80, derivePort: FROM_REQUEST_PORT}"), "only one of port, derivePort"],
    ["VirtualService", vs("directResponse: {status: 99}"), "status: must be between 200 and 599"],
    ["VirtualService", vs("directResponse: {body: {string: a}}"), "directResponse.status: is required"],
    ["VirtualService", vs("directResponse: {status: 200, body: {bytes: 'a!'}}"), "body.bytes: is not base64"],
    [
      "VirtualService",
      vs("route: [{destination: {host: a}}, {destination: {host: b}, weight: 0}]"),
      "weights of several destinations must not add up to 0",
    ],
    ["VirtualService", vs("route: [{weight: 1}]"), "route[0].destination: is required"],
    ["VirtualService", vs("route: [{destination: {host: '*.a.com'}}]"), "host: must be one host"],
    [
      "VirtualService",
      vs("route: [{destination: {host: a, port: {number: 0}}}]"),
      "number: must be between 1 and 65535, not 0",
    ],
    [
      "VirtualService",
      vs("route: [{destination: {host: a}, weight: ten}]"),
      'weight: must be a whole number, not the text "ten"',
    ],
    [
      "VirtualService",
      vs("route: [{destination: {host: a}, weight: 1.5}]"),
      "weight: must be a whole number, not the number 1.5",
    ],
    ["VirtualService", match("uri: {exact: a, prefix: b}"), "uri.prefix: only one of exact, prefix, regex can be set"],
    ["VirtualService", match("uri: {}"), "uri: one of exact, prefix, regex is required"],
    [
      "VirtualService",
      `{hosts: ["*.foo.bar", "*.bar"], http: [{${route}}]}`,
      '"*.bar" and "*.foo.bar" cover the same hosts',
    ],
    ["VirtualService", `{gateways: [g], http: [{${route}}]}`, "hosts: is required beside gateways"],
    [
      "VirtualService",
      `{hosts: [a], exportTo: [".", default], http: [{${route}}]}`,
      'namespace "default" is given twice',
    ],
    ["VirtualService", vs(`fault: {}, ${route}`), "fault: needs abort or delay"],
    ["VirtualService", vs(`fault: {delay: {fixedDelay: 3.000000042s}}, ${route}`), "must be whole milliseconds"],
    ["VirtualService", vs("redirect: {uri: /a, prefixRewrite: /b}"), "prefixRewrite: cannot stand beside uri"],
    [
      "VirtualService",
      vs(`rewrite: {authority: b}, headers: {request: {set: {":authority": c}}}, ${route}`),
      "rewrite.authority: is also set among the request's headers",
    ],
    ["VirtualService", match("uri: {regex: '('}"), "uri.regex: is not a regular expression of RE2"],
    ["VirtualService", match("uri: {regex: '(a)\\1'}"), "uri.regex: is not a regular expression of RE2"],
    [
      "VirtualService",
      match("uri: {regex: '\\p{Cn}'}"),
      "uri.regex: is not a regular expression of RE2: Envoy knows no class \\p{Cn}",
    ],
    ["VirtualService", match("uri: {regex: '\\x{100}'}"), "uri.regex: has an escape over \\xff: Envoy matches bytes"],
    ["VirtualService", match("headers: {'@request.auth.principal': {exact: a}}"), "must be @request.auth.claims.NAME"],
    ["VirtualService", match(`uri: {regex: '${"a".repeat(1_025)}'}`), "uri.regex: is longer than 1024"],
    [
      "VirtualService",
      match(`uri: {regex: '${"a{1000}b{1000}c{1000}d{1000}".repeat(8)}a{1000}'}`),
      "uri.regex: is too complex",
    ],
    [
      "VirtualService",
      match("headers: {end-user: jason}"),
      'headers.end-user: must be a map of fields, not the text "jason"',
    ],
    ["VirtualService", match("headers: {'a b': {}}"), "is not a name HTTP allows"],
    ["VirtualService", match("headers: {':status': {exact: a}}"), "is not a name HTTP allows"],
    ["VirtualService", match("headers: {a: {exat: b}}"), 'did you mean "exact"?'],
    ["VirtualService", vs(`${route}, retries: {attempts: 0, retryOn: 5xx}`), "attempts: is 0, which turns retries off"],
    [
      "VirtualService",
      vs(`${route}, retries: {attempts: 1, retryOn: '5xx,conect-failure'}`),
      'did you mean "connect-failure"?',
    ],
    [
      "VirtualService",
      vs(`${route}, retries: {attempts: 1, perTryTimeout: 5}`),
      "perTryTimeout: must be text, not the number 5",
    ],
    [
      "VirtualService",
      vs(`${route}, fault: {abort: {percentage: {value: 1}}}`),
      "abort: one of httpStatus, grpcStatus is required",
    ],
    [
      "VirtualService",
      vs(`${route}, fault: {abort: {httpStatus: 500, percentage: {value: 101}}}`),
      "value: must be between 0 and 100",
    ],
    ["VirtualService", vs(`${route}, fault: {abort: {grpcStatus: NOPE}}`), "grpcStatus"],
    ["VirtualService", vs(`${route}, fault: {delay: {percentage: {value: 1}}}`), "delay.fixedDelay: is required"],
    [
      "VirtualService",
      vs(`${route}, mirror: {host: b}, mirrors: [{destination: {host: c}}]`),
      "mirrors: cannot stand beside mirror",
    ],
    ["VirtualService", vs(`${route}, headers: {request: {set: {':path': /a}}}`), "cannot be changed here"],
    ["VirtualService", vs(`${route}, headers: {request: {set: {a: "x\\r\\ny"}}}`), "must not contain a line break"],
    ["VirtualService", vs(`${route}, headers: {request: {set: {a: 1}}}`), "must be text"],
  ]);
  warns([
    ["VirtualService", vs(`${route}, headers: {request: {add: {Host: b}}}`), "headers.request.add.Host: has no effect"],
    [
      "VirtualService",
      vs(`${route}, headers: {request: {remove: [host]}}`),
      "headers.request.remove[0]: has no effect",
    ],
    [
      "VirtualService",
      vs(`${route}, headers: {response: {set: {host: b}}}`),
      "headers.response.set.host: has no effect",
    ],
  ]);
});

describe("VirtualService accepts", () => {
  accepts([
    ["VirtualService", `{http: [{${route}}]}`],
    ["VirtualService", match("uri: {prefix: ''}")],
    ["VirtualService", match("headers: {':authority': {exact: a.com}}")],
    ["VirtualService", vs("redirect: {prefixRewrite: /b}")],
    ["VirtualService", vs(`fault: {abort: {httpStatus: 600}}, ${route}`)],
    ["VirtualService", vs("route: [{destination: {host: a}, weight: 0}]")],
    [
      "VirtualService",
      vs("route: [{destination: {host: a, port: {number: '80'}}, weight: '30'}, {destination: {host: b}, weight: 70}]"),
    ],
    ["VirtualService", `{hosts: ["*"], gateways: [ns/gw], http: [{${route}}]}`],
    ["VirtualService", match("uri: {regex: '(?i)straße\\p{L}\\C|[^é]'}")],
    [
      "VirtualService",
      match(
        "uri: {exact: ''}, headers: {a: {}, cookie: {regex: '^(.*?;)?(user=jason)(;.*)?$'}}, withoutHeaders: " +
          "{x: {}}, queryParams: {q: {}}, ignoreUriCase: true, port: 80, sourceLabels: {app: a}, gateways: [mesh]",
      ),
    ],
    [
      "VirtualService",
      vs(
        `${route}, retries: {attempts: 3, retryOn: "500, gateway-error", perTryTimeout: 2s, backoff: 25ms}, ` +
          "timeout: 0s",
      ),
    ],
    [
      "VirtualService",
      vs(
        `${route}, headers: {request: {set: {':authority': b.com}, add: {x: ''}, remove: [y]}, response: {set: ` +
          "{z: '1'}}}",
      ),
    ],
    [
      "VirtualService",
      vs(`${route}, fault: {abort: {grpcStatus: UNAVAILABLE}, delay: {fixedDelay: 5s, percentage: {value: '0.1'}}}`),
    ],
    ["VirtualService", vs("directResponse: {status: 503, body: {string: ''}}")],
    ["VirtualService", vs("match: [{uri: {prefix: ''}, statPrefix: s}], redirect: {uri: /a}")],
    ["VirtualService", vs(`${route}, rewrite: {uriRegexRewrite: {match: "^/(\\\\w+)/(.*)", rewrite: '/\\2/\\1\\\\'}}`)],
    ["VirtualService", vs("delegate: {name: d, namespace: other}, match: [{uri: {prefix: /d}}], timeout: 1s")],
    [
      "VirtualService",
      cors(
        "allowOrigins: [{exact: 'https://a.com'}, {regex: '.*'}], allowMethods: [GET, '*'], allowHeaders: [x-a, '*'], " +
          "exposeHeaders: [x-b], maxAge: 24h, allowCredentials: true, unmatchedPreflights: IGNORE",
      ),
    ],
    ["VirtualService", cors("allowOrigin: ['*']")],
  ]);
});

describe("VirtualService routes of connections", () => {
  const to = "route: [{destination: {host: a}}]";
  const tls = (name: string, more = "", hosts = "a.com", gateways = "front") =>
    `{hosts: ["${hosts}"], gateways: [${gateways}], tls: [{match: [{sniHosts: ["${name}"]${more}}], ${to}}]}`;
  refuses([
    ["VirtualService", tls("b.com"), 'sniHosts[0]: "b.com" is none of the VirtualService\'s hosts'],
    ["VirtualService", tls("a.com", ", gateways: [a/b/c]"), "gateways[0]: must be name or namespace/name"],
    ["VirtualService", tls("a.com", ", destinationSubnets: [x]"), "destinationSubnets[0]: is not an IP address"],
    ["VirtualService", tls("outbound_.80_._.a.com", "", "outbound_.80_._.a.com", "mesh"), "hosts[0]: is not a host"],
    [
      "VirtualService",
      "{hosts: [a.com], gateways: [g], tcp: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]}",
      "tcp[0].route: the weights of several destinations must not add up to 0",
    ],
    ["VirtualService", tls("a.com").replace("tls: [{", "tls: [{name: x, "), "tls[0].name: unknown field"],
  ]);
  warns([
    ["VirtualService", tls("1.2.3.4", "", "1.2.3.4"), "an address is no server name"],
    ["VirtualService", tls("*a.com", "", "*a.com"), "TLS knows * only as a whole first label"],
  ]);
  accepts([
    ["VirtualService", tls("*.a.com", "", "*.A.com")],
    ["VirtualService", tls("outbound_.80_.v1_.a.com", "", "outbound_.80_.v1_.a.com")],
    ["VirtualService", `{hosts: ["*"], gateways: [g], tcp: [{match: [{port: 5432}], ${to}}]}`],
  ]);
});
