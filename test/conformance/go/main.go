// Clients of the control plane that are not ours: gRPC's for Go, the stubs and checks that Envoy's API is published with, and requests as istioctl makes them.
// Consumes: flags and standard input. Produces: one JSON document on standard output (proxyless: a line for each call).
// Never does: decides what is right of the mesh; the tests beside it do.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

var commands = map[string]func(arguments []string) error{
	"resources": resourcesCommand,
	"inspect":   inspectCommand,
	"bootstrap": bootstrapCommand,
	"istioctl":  istioctlCommand,
	"compare":   compareCommand,
	"pages":     pagesCommand,
	"proxyless": proxylessCommand,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "say what to do: resources, inspect, bootstrap, istioctl, compare, pages or proxyless")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func print(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// parse reads the flags that define sets; unknown ones end the program.
func parse(name string, arguments []string, define func(*flag.FlagSet)) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	define(flags)
	_ = flags.Parse(arguments)
	return flags
}
