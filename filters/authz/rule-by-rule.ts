// Policies, requests and what they mean rule by rule, without an index; and random ones of both.
import fc from "fast-check";

/** What is asked. */
export interface Request {
  readonly path: string;
  readonly method: string;
  readonly host: string;
  readonly roles: readonly string[];
  readonly principal: readonly [namespace: string, account: string] | undefined;
  readonly ip: string;
  readonly groups: readonly string[];
}

interface Source {
  principals?: string[];
  namespaces?: string[];
  serviceAccounts?: string[];
  ipBlocks?: string[];
  notNamespaces?: string[];
}

interface Operation {
  paths?: string[];
  methods?: string[];
  hosts?: string[];
  notPaths?: string[];
}

interface When {
  key: string;
  values: string[];
}

/** A rule of the fields that are tried here. */
export interface Rule {
  from?: Source[];
  to?: Operation[];
  when?: When[];
}

/** A policy. */
export interface Policy {
  name: string;
  action: "ALLOW" | "DENY";
  rules: Rule[];
}

// What Istio documents, one rule after the other; requests here can be read in one way only.

const fits = (pattern: string, value: string): boolean =>
  pattern === "*"
    ? value !== ""
    : pattern.startsWith("*")
      ? value.endsWith(pattern.slice(1))
      : pattern.endsWith("*")
        ? value.startsWith(pattern.slice(0, -1))
        : value === pattern;

const any = (patterns: readonly string[] | undefined, value: string | undefined): boolean =>
  patterns === undefined || (value !== undefined && patterns.some((pattern) => fits(pattern, value)));

const inBlock = (block: string, ip: string): boolean =>
  block.endsWith("/8")
    ? ip.split(".")[0] === block.split(".")[0]
    : block.endsWith("/24")
      ? ip.split(".").slice(0, 3).join() === block.split(".").slice(0, 3).join()
      : block === ip;

function sourceFits(source: Source, { principal, ip }: Request): boolean {
  const [namespace, account] = principal ?? [];
  return (
    any(source.principals, principal && `t/ns/${namespace}/sa/${account}`) &&
    any(source.namespaces, namespace) &&
    any(source.serviceAccounts, principal && `${namespace}/${account}`) &&
    (source.ipBlocks === undefined || source.ipBlocks.some((block) => inBlock(block, ip))) &&
    (source.notNamespaces === undefined || namespace === undefined || !any(source.notNamespaces, namespace))
  );
}

const operationFits = ({ paths, methods, hosts, notPaths }: Operation, { path, method, host }: Request): boolean =>
  any(paths, path) && any(methods, method) && any(hosts, host) && (notPaths === undefined || !any(notPaths, path));

const whenFits = ({ key, values }: When, { roles, groups }: Request): boolean =>
  (key.includes("headers") ? roles : groups).some((value) => any(values, value));

const ruleFits = ({ from, to, when }: Rule, request: Request): boolean =>
  (from === undefined || from.some((source) => sourceFits(source, request))) &&
  (to === undefined || to.some((operation) => operationFits(operation, request))) &&
  (when ?? []).every((one) => whenFits(one, request));

/** Which policy decides, e.g. `denied by n/p[0]`, `allowed by none`. */
export function linear(policies: readonly Policy[], request: Request): string {
  const match = (action: string): string | undefined => {
    for (const { name, rules } of policies.filter((policy) => policy.action === action)) {
      const index = rules.findIndex((rule) => ruleFits(rule, request));
      if (index >= 0) return `${name}[${index}]`;
    }
    return undefined;
  };
  const denied = match("DENY");
  if (denied) return `denied by ${denied}`;
  if (policies.every(({ action }) => action === "DENY")) return "allowed by none";
  const allowed = match("ALLOW");
  return allowed ? `allowed by ${allowed}` : "denied by none";
}

// Few words, so that much matches.
const word = fc.constantFrom("a", "b", "c", "ab");

const pattern = fc.oneof({ weight: 5, arbitrary: word }, { weight: 1, arbitrary: fc.constantFrom("*", "a*", "*b") });
const listOf = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 3 });
const path = fc.tuple(word, word).map(([one, two]) => `/${one}/${two}`);

const pathPattern = fc.oneof(
  { weight: 3, arbitrary: path },
  { weight: 2, arbitrary: word.map((one) => `/${one}/*`) },
  { weight: 1, arbitrary: fc.constantFrom("*", "/*", "/a*", "*/b") },
);

const block = fc.constantFrom("10.0.0.0/8", "10.1.1.0/24", "10.1.1.1", "11.2.2.2");
const principal = fc.tuple(word, word);

const source = fc.record(
  {
    principals: listOf(
      fc.oneof(
        { weight: 4, arbitrary: principal.map(([namespace, account]) => `t/ns/${namespace}/sa/${account}`) },
        { weight: 1, arbitrary: fc.constantFrom("*", "t/ns/a/*", "*/sa/b") },
      ),
    ),
    namespaces: listOf(pattern),
    serviceAccounts: listOf(principal.map((parts) => parts.join("/"))),
    ipBlocks: listOf(block),
    notNamespaces: listOf(pattern),
  },
  { requiredKeys: [] },
);

const operation = fc.record(
  {
    paths: listOf(pathPattern),
    methods: listOf(fc.constantFrom("GET", "PUT", "*")),
    hosts: listOf(pattern),
    notPaths: listOf(pathPattern),
  },
  { requiredKeys: [] },
);

const when = fc.record({
  key: fc.constantFrom("request.headers[x-role]", "request.auth.claims[groups]"),
  values: listOf(pattern),
});

/** Any rule. */
export const rule: fc.Arbitrary<Rule> = fc.record(
  { from: listOf(source), to: listOf(operation), when: fc.array(when, { minLength: 1, maxLength: 2 }) },
  { requiredKeys: [] },
);

/** Any request. */
export const request: fc.Arbitrary<Request> = fc.record({
  path,
  method: fc.constantFrom("GET", "PUT"),
  host: word,
  roles: fc.array(word, { maxLength: 1 }),
  principal: fc.option(principal, { nil: undefined }),
  ip: fc.constantFrom("10.1.1.1", "10.9.9.9", "11.2.2.2", "12.1.1.1"),
  groups: fc.array(word, { maxLength: 3 }),
});
