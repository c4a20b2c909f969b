// The child process of checkModuleInChild: answers one request and ends.
import { checkModule } from "./check-module.ts";
import type { CheckRequest } from "./check-module-child.ts";

process.once("message", (request: CheckRequest) => {
  process.send?.(checkModule(request.module, request.configuration, request.vmConfiguration), () => process.exit(0));
});
