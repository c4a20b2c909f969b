// `scrim bootstrap`: the bootstrap of a proxy, to be read, or to run an Envoy of one's own with.
import { type Command, Option } from "commander";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { buildBootstrap } from "../../bootstrap/bootstrap.ts";
import { buildCapturedBootstrap, buildTokenSecret } from "../../bootstrap/captured-bootstrap.ts";
import { captureRules } from "../../capture/rules.ts";
import { captureSettings } from "../../capture/settings.ts";
import { replaceFile } from "../../disk/replace-file.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { issueToken } from "../issue-token.ts";
import { collect, examples, outputOption } from "../options.ts";
import { renderValue } from "../output.ts";
import { type BootstrapOptions, capturedFactsOf, factsOf, qualifiedName, tokenFilesOf } from "./facts.ts";

/** Adds `scrim bootstrap`. */
export function addBootstrap(program: Command, context: CommandContext): void {
  const command = program
    .command("bootstrap")
    .description("print the Envoy bootstrap of a proxy")
    .option("--proxy <namespace/name>", "the pod")
    .option("--kind <kind>", "sidecar or router", "sidecar")
    .option("--ip <address>", "the pod's address", "127.0.0.1")
    .option("--service-account <name>", "its service account", "default")
    .option("--label <name=value>", "a label of the pod; may be repeated", collect, [])
    .option("--stat-tag <name>", "a label of metrics beyond the standard ones; may be repeated", collect, [])
    .option("--xds-address <host:port>", "the control plane", "127.0.0.1:15012")
    .option("--admin-port <port>", "Envoy's admin page, on 127.0.0.1", "15000")
    .option("--state-dir <directory>", "the control plane's state directory, for its root certificate", ".scrim")
    .option(
      "--root-cert <file>",
      "the control plane's root certificate (default: ca/root-cert.pem in the state directory)",
    )
    .option("--trust-domain <domain>", "the mesh's trust domain", "cluster.local")
    .option("--token <token>", "the proxy's credential")
    .option(
      "--issue-token",
      "make the proxy a credential in the state directory of a control plane that `scrim serve` runs",
    );
  withCaptureOptions(command)
    .addOption(outputOption("json", "yaml"))
    .addHelpText(
      "after",
      examples(
        "scrim bootstrap --proxy default/reviews-v1-0 --ip 127.10.4.7 --service-account bookinfo-reviews " +
          "--label app=reviews --issue-token > envoy.json",
        "scrim bootstrap --capture REDIRECT --workload default/reviews-v1 --service-account bookinfo-reviews " +
          "--label app=reviews --xds-address istiod.istio-system.svc:15012 > envoy.json",
        "scrim bootstrap --capture REDIRECT --print token-secret > xds-token.json",
      ),
    )
    .action((options: BootstrapOptions) => bootstrapCommand(options, context));
}

/** Of captured sidecars; paths are those that their pods have. */
function withCaptureOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--capture <mode>", "of sidecars to which the kernel leads all connections").choices([
        "REDIRECT",
        "TPROXY",
      ]),
    )
    .option("--workload <namespace/name>", "captured: whose sidecars they are, one text for all pods")
    .option(
      "--token-file <file>",
      "captured: where the credential is; it may be replaced",
      "/var/run/secrets/tokens/istio-token",
    )
    .option(
      "--token-secret-file <file>",
      "captured: where `--print token-secret` will be found",
      "/etc/scrim/xds-token.json",
    )
    .option(
      "--admin-socket <file>",
      "captured: Envoy's own pages, its owner's alone",
      "/var/run/scrim/envoy-admin.sock",
    )
    .addOption(
      new Option("--ip-families <families>", "captured: the addresses of the pods")
        .choices(["IPv4", "IPv6", "dual"])
        .default("IPv4"),
    )
    .addOption(
      new Option("--print <what>", "captured: which of the files; the last two are for iptables-restore --noflush")
        .choices(["bootstrap", "token-secret", "iptables", "ip6tables"])
        .default("bootstrap"),
    );
}

/** Prints the bootstrap that the options describe; with `--issue-token` it makes the proxy's credential first. */
async function bootstrapCommand(options: BootstrapOptions, { terminal }: CommandContext): Promise<void> {
  const print = (value: object): void => terminal.out(renderValue(value, options.output));
  if (options.capture === undefined) {
    const facts = factsOf(options);
    return print(buildBootstrap(options.issueToken ? { ...facts, token: await newToken(options) } : facts));
  }
  const rules = captureRules(captureSettings({ mode: options.capture }));
  if (options.print === "iptables") return terminal.out(rules.ipv4.apply);
  if (options.print === "ip6tables") return terminal.out(rules.ipv6.apply);
  if (options.print === "token-secret") return print(buildTokenSecret(tokenFilesOf(options)));
  const facts = capturedFactsOf(options, options.capture);
  if (options.issueToken) await replaceFile(facts.token.tokenFile, await newToken(options));
  print(buildCapturedBootstrap(facts));
}

async function newToken({ proxy, serviceAccount, stateDir }: BootstrapOptions): Promise<string> {
  if (proxy === undefined) throw commandFailure("usage", "--issue-token is for one pod: name it by --proxy.");
  const { namespace, name: pod } = qualifiedName("--proxy", proxy);
  const token = randomBytes(32).toString("hex");
  await issueToken(join(stateDir, "identities.json"), token, { namespace, serviceAccount, pod });
  return token;
}
