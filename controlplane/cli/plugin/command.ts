// `scrim plugin`: modules as images, and a look at them.
import { type Command, Option } from "commander";
import { imageLayouts } from "../../wasm/oci/layouts.ts";
import type { CommandContext } from "../context.ts";
import { inspectPlugin, type InspectOptions } from "./inspect.ts";
import { pullPlugin, type PullOptions } from "./pull.ts";
import { pushPlugin, type PushOptions } from "./push.ts";
import { runPlugin, type RunOptions } from "./run.ts";

const SOURCE = "oci://REGISTRY/REPOSITORY:TAG, …@sha256:DIGEST, an http(s) URL or a file";
const CREDENTIALS =
  "\nCredentials come from Docker's configuration ($DOCKER_CONFIG/config.json or ~/.docker/config.json, " +
  "with the helpers it names), or from --username with --password-stdin.";

/** Adds the commands. */
export function addPlugin(program: Command, context: CommandContext): void {
  const parent = program.command("plugin").description("Wasm plugins: push, pull, look inside, run one in an Envoy");
  addPush(parent, context);
  addPull(parent, context);
  addInspect(parent, context);
  addRun(parent, context);
}

function examples(...commands: readonly string[]): string {
  const title = commands.length === 1 ? "Example" : "Examples";
  return `${CREDENTIALS}\n\n${title}:\n${commands.map((command) => `  ${command}`).join("\n")}`;
}

function withRegistry(command: Command): Command {
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  return command
    .option("--docker-config <file>", "credentials in the form of Docker's config.json")
    .option("--username <name>", "who one is to the registry")
    .option("--password-stdin", "read the password from standard input")
    .addOption(
      new Option("--plain-registry <host:port>", "a registry that is spoken to without TLS; may be repeated")
        .argParser(collect)
        .default([], "those of this machine"),
    );
}

const textOrJson = () => new Option("-o, --output <format>", "how to print").choices(["text", "json"]).default("text");

function addPush(parent: Command, context: CommandContext): void {
  withRegistry(
    parent
      .command("push")
      .description("package a module as an image and push it")
      .argument("<file>", "the .wasm file")
      .argument("<image>", "oci://REGISTRY/REPOSITORY:TAG"),
  )
    .addOption(
      new Option(
        "--layout <layout>",
        "compat: a tar.gz layer with plugin.wasm; artifact: Istio's OCI artifact; cncf: application/wasm",
      )
        .choices([...imageLayouts])
        .default("artifact"),
    )
    .option(
      "--manifest <file>",
      "what the author says of the module: JSON with name, version, capabilities, configSchema, " +
        "allowOnHeadersStopIteration",
    )
    .addOption(textOrJson())
    .addHelpText(
      "after",
      examples(
        "scrim plugin push filters/build/greeting.wasm oci://127.0.0.1:5000/team/greeting:v1",
        "scrim plugin push greeting.wasm oci://registry.example.com/team/greeting:v2 --layout compat " +
          "--manifest greeting.json",
      ),
    )
    .action((file: string, image: string, options: PushOptions) => pushPlugin(file, image, options, context));
}

function addPull(parent: Command, context: CommandContext): void {
  withRegistry(parent.command("pull").description("write an image's module to a file").argument("<source>", SOURCE))
    .option("-f, --file <file>", "where to write it", "plugin.wasm")
    .addOption(textOrJson())
    .addHelpText("after", examples("scrim plugin pull oci://registry.example.com/team/greeting:v1 -f greeting.wasm"))
    .action((source: string, options: PullOptions) => pullPlugin(source, options, context));
}

function addInspect(parent: Command, context: CommandContext): void {
  withRegistry(
    parent
      .command("inspect")
      .description(
        "what is in a module: imports, exports, size, SDK, what it wants, who signed it, what it does on trial",
      )
      .argument("<source>", SOURCE),
  )
    .option("--config <json>", "a configuration to try it with, or @FILE (default: none)")
    .option("--against <source>", "another version: say what this one wants that the other does not")
    .option("--key <file>", "public keys in PEM: say whether one of them signed it, and fail if none did")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["text", "json", "yaml"]).default("text"))
    .addHelpText(
      "after",
      examples(
        "scrim plugin inspect greeting.wasm",
        "scrim plugin inspect oci://registry.example.com/team/greeting:v2 " +
          "--against oci://registry.example.com/team/greeting:v1 --key cosign.pub",
      ),
    )
    .action((source: string, options: InspectOptions) => inspectPlugin(source, options, context));
}

function addRun(parent: Command, context: CommandContext): void {
  withRegistry(
    parent.command("run").description("run a module in an Envoy on this machine").argument("<source>", SOURCE),
  )
    .option("--config <json>", "the plugin's configuration, or @FILE")
    .option("--root-id <id>", "the root context's id (a WasmPlugin's pluginName)", "")
    .option("--upstream <url>", "where requests go (default: an echo of what arrives)")
    .option("--network", "the module serves TCP connections, not requests (told from its exports where they tell)")
    .option("--port <port>", "where requests are taken, on 127.0.0.1; 0 picks a free one", "0")
    .addOption(
      new Option("--log-level <level>", "what the module logs is shown from this level on")
        .choices(["trace", "debug", "info", "warning", "error", "critical"])
        .default("info"),
    )
    .addHelpText(
      "after",
      examples(`scrim plugin run greeting.wasm --config '{"greeting": "hello"}' --upstream http://127.0.0.1:8080`),
    )
    .action((source: string, options: RunOptions) => runPlugin(source, options, context));
}
