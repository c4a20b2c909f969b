// A module of the Go SDK, compiled by Go itself: sets a header from its configuration, counts requests, and replies to /closed.
package main

import (
	"os"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
	greeting string
	requests proxywasm.MetricCounter
}

func (p *plugin) OnPluginStart(size int) types.OnPluginStartStatus {
	configuration, err := proxywasm.GetPluginConfiguration()
	if err != nil && err != types.ErrorStatusNotFound {
		proxywasm.LogErrorf("no configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	p.greeting = string(configuration) + os.Getenv("SUFFIX")
	p.requests = proxywasm.DefineCounterMetric("go_requests")
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &stream{plugin: p} }

type stream struct {
	types.DefaultHttpContext
	plugin *plugin
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	s.plugin.requests.Increment(1)
	path, err := proxywasm.GetHttpRequestHeader(":path")
	if err == nil && path == "/closed" {
		if err := proxywasm.SendHttpResponse(403, [][2]string{{"x-go", "closed"}}, []byte("closed\n"), -1); err != nil {
			proxywasm.LogErrorf("no reply: %v", err)
		}
		return types.ActionPause
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	if err := proxywasm.ReplaceHttpResponseHeader("x-go", s.plugin.greeting); err != nil {
		proxywasm.LogErrorf("no header: %v", err)
	}
	return types.ActionContinue
}
