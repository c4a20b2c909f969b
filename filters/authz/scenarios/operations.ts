// Fields of `to`, each with requests that fit it and requests that do not.
import type { Exchange } from "proxy-wasm-host";
import { type Field, both, path, to } from "./words.ts";

const host = (text: string): Omit<Exchange, "expect"> => ({ name: text, headers: { ":authority": text } });

export const operations: readonly Field[] = [
  to("methods", { methods: ["GET", "P*"] }, both([{}, { method: "POST" }, { method: "PUT" }], [{ method: "DELETE" }])),
  to("notMethods", { notMethods: ["GET"] }, both([{ method: "PUT" }], [{}])),
  to(
    "ports",
    { ports: ["8080"] },
    both(
      [{ peer: { destination: { address: "10.0.0.1", port: 8080 } } }],
      [{ peer: { destination: { address: "10.0.0.1", port: 80 } } }],
    ),
  ),
  to(
    "paths",
    { paths: ["/a", "/p/*", "*.js"] },
    both(
      [path("/a"), path("/a?b=/c"), path("/p/x"), path("/p/"), path("/x.js?v=1")],
      [path("/A"), path("/ab"), path("/p"), path("/x.jsx")],
    ),
  ),
  to("any path", { paths: ["*"] }, both([path("/"), path("/x")], [])),
  to(
    "path templates",
    { paths: ["/a/{*}/c", "/r/{**}", "/s/{**}/end"] },
    both(
      [path("/a/b/c?d"), path("/r/x/y"), path("/r/"), path("/s/x/y/end")],
      [path("/a/b/d"), path("/a/b/b/c"), path("/a//c"), path("/r"), path("/s/x/y")],
    ),
  ),
  to("a path that can be read in two ways", { paths: ["/admin", "/a:b"] }, [
    [path("/admin"), true],
    [path("/admin;x"), false, true],
    [path("/admin%3bx=1;y"), false, true],
    [path("/admin%23x"), false, true],
    [path("/admin%3Fx"), false, true],
    [path("/admin%20%0a"), false, true],
    [path("/%61dmin"), false, true],
    [path("/;x/admin"), false, true],
    [path("/x/..;/admin"), false, true],
    [path("/a%3ab"), false, true],
    [path("/a%3Ab"), false, true],
    [path("/%2561dmin"), false],
    [path("/admin%"), false],
    [path("/x;/admin"), false],
    [path("/admin/x"), false],
  ]),
  to("a path that is not to be", { notPaths: ["/admin"] }, [
    [path("/x"), true],
    [path("/admin"), false],
    [path("/admin;x"), false, true],
    [path("/%61dmin"), false, true],
  ]),
  to("a template that can be read in two ways", { paths: ["/admin/{*}"] }, [
    [path("/admin/x"), true],
    [path("/admin;a/x;b"), false, true],
    [path("/admin/x%2fy"), false, true],
    [path("/admin/a*b"), false, true],
    [path("/admin/[x]"), false, true],
    [path("/admin/"), false],
    [path("/admin/*/x"), false],
  ]),
  to("a template's rest that can be read in two ways", { paths: ["/r/{**}", "/s/{**}/end"] }, [
    [path("/r/x/y"), true],
    [path("/r/*"), false, true],
    [path("/r/x/[y]"), false, true],
    [path("/s/*/end"), false, true],
    [path("/s/*/y"), false],
  ]),
  to("a prefix that can be read in two ways", { paths: ["/admin/*"] }, [
    [path("/admin/x"), true],
    [path("/x/..;/admin/y"), false, true],
    [path("/;/admin/y"), false, true],
    [path("/admi%6e/y"), false, true],
    [path("/administrator"), false],
  ]),
  to("hosts", { hosts: ["a.test", "*.b.test", "c*"] }, [
    [host("a.test"), true],
    [host("A.TEST"), true],
    [host("x.b.test"), true],
    [host("c.test"), true],
    [host("d.test"), false],
    [host("a.test:80"), false, true],
    [host("a.test."), false, true],
    [host("a.test.:80"), false, true],
    [host("x.b.test:80"), false, true],
    [host("d.test,a.test"), false, true],
    [host("a.test,d.test"), false, true],
    [host("u@a.test"), false, true],
  ]),
  to("hosts that are not to be", { notHosts: ["a.test"] }, [
    [host("d.test"), true],
    [host("a.test"), false],
    [host("a.test:80"), false, true],
    [host("d.test,a.test"), false, true],
  ]),
  to(
    "two fields of an operation",
    { methods: ["GET"], paths: ["/b"] },
    both([path("/b")], [path("/a"), { ...path("/b"), method: "PUT" }]),
  ),
];
