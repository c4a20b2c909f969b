// What `istioctl proxy-status POD` compares: what the control plane says it sent, with what the proxy's Envoy says it has.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"regexp"
	"sort"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// comparison lists names of resources; all empty but Same is what istioctl calls a match.
type comparison struct {
	Same      []string `json:"same"`
	Differ    []string `json:"differ"`
	OnlyPilot []string `json:"onlyPilot"`
	OnlyEnvoy []string `json:"onlyEnvoy"`
	// Of the first that differs, both sides as JSON.
	Example []string `json:"example"`
}

func compareCommand(arguments []string) error {
	var q question
	var envoyAdmin, proxy string
	parse("compare", arguments, func(flags *flag.FlagSet) {
		q.define(flags)
		flags.StringVar(&envoyAdmin, "envoy", "", "http://host:port of the Envoy's admin page")
		flags.StringVar(&proxy, "proxy", "", "POD.NAMESPACE")
	})
	q.typeURL, q.names = "istio.io/debug/config_dump", names{proxy}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	response, err := q.ask(ctx)
	if err != nil {
		return err
	}
	if len(response.Resources) == 0 {
		return errors.New("unable to find config dump in Istiod responses")
	}
	pilot, err := byKind(&adminv3.ConfigDump{Configs: response.Resources})
	if err != nil {
		return err
	}
	envoy, err := envoyDump(envoyAdmin)
	if err != nil {
		return err
	}
	result := map[string]comparison{}
	for kind := range pilot {
		result[kind] = compareKind(pilot[kind], envoy[kind])
	}
	return print(result)
}

func envoyDump(admin string) (map[string]map[string]proto.Message, error) {
	response, err := http.Get(admin + "/config_dump")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var sections struct {
		Configs []json.RawMessage `json:"configs"`
	}
	if err := json.Unmarshal(text, &sections); err != nil {
		return nil, err
	}
	dump := &adminv3.ConfigDump{}
	for _, section := range sections.Configs {
		// The other sections may name what is not known here, as the bootstrap does.
		if !compared.Match(section) {
			continue
		}
		packed := &anypb.Any{}
		if err := protojson.Unmarshal(section, packed); err != nil {
			return nil, err
		}
		dump.Configs = append(dump.Configs, packed)
	}
	return byKind(dump)
}

var compared = regexp.MustCompile(`^\{\s*"@type":\s*"type\.googleapis\.com/envoy\.admin\.v3\.(Clusters|Listeners|Routes)ConfigDump"`)

// byKind gives the dynamic clusters, listeners and routes by name, without versions and times; virtual hosts in the order of their names, as istioctl does.
func byKind(dump *adminv3.ConfigDump) (map[string]map[string]proto.Message, error) {
	kinds := map[string]map[string]proto.Message{"clusters": {}, "listeners": {}, "routes": {}}
	for _, config := range dump.Configs {
		section, err := config.UnmarshalNew()
		if err != nil {
			return nil, err
		}
		switch found := section.(type) {
		case *adminv3.ClustersConfigDump:
			for _, cluster := range found.DynamicActiveClusters {
				err = errors.Join(err, put(kinds["clusters"], cluster.Cluster, &clusterv3.Cluster{}))
			}
		case *adminv3.ListenersConfigDump:
			for _, listener := range found.DynamicListeners {
				err = errors.Join(err, put(kinds["listeners"], listener.GetActiveState().GetListener(), &listenerv3.Listener{}))
			}
		case *adminv3.RoutesConfigDump:
			for _, route := range found.DynamicRouteConfigs {
				err = errors.Join(err, put(kinds["routes"], route.RouteConfig, &routev3.RouteConfiguration{}))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return kinds, nil
}

func put[M interface {
	proto.Message
	GetName() string
}](into map[string]proto.Message, packed *anypb.Any, message M) error {
	if err := packed.UnmarshalTo(message); err != nil {
		return err
	}
	if routes, ok := any(message).(*routev3.RouteConfiguration); ok {
		sort.Slice(routes.VirtualHosts, func(i, j int) bool { return routes.VirtualHosts[i].Name < routes.VirtualHosts[j].Name })
	}
	into[message.GetName()] = message
	return nil
}

func compareKind(pilot, envoy map[string]proto.Message) comparison {
	result := comparison{Same: []string{}, Differ: []string{}, OnlyPilot: []string{}, OnlyEnvoy: []string{}, Example: []string{}}
	for name, message := range pilot {
		other, both := envoy[name]
		if !both {
			result.OnlyPilot = append(result.OnlyPilot, name)
			continue
		}
		// As text: bytes inside an Any may be ordered differently.
		said, has := protojson.Format(message), protojson.Format(other)
		if said == has {
			result.Same = append(result.Same, name)
			continue
		}
		result.Differ = append(result.Differ, name)
		if len(result.Example) == 0 {
			result.Example = []string{said, has}
		}
	}
	for name := range envoy {
		if pilot[name] == nil {
			result.OnlyEnvoy = append(result.OnlyEnvoy, name)
		}
	}
	for _, list := range [][]string{result.Same, result.Differ, result.OnlyPilot, result.OnlyEnvoy} {
		sort.Strings(list)
	}
	return result
}
