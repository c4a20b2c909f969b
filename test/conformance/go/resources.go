// Fetches everything that one node is sent, over one of the four variants, and says what is wrong with it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

const patience = 20 * time.Second

// names that resources refer to, by the type that has them.
type references map[string]map[string]bool

func (r references) add(typeURL, name string) {
	if name == "" {
		return
	}
	if r[typeURL] == nil {
		r[typeURL] = map[string]bool{}
	}
	r[typeURL][name] = true
}

func (r references) of(typeURL string) []string {
	names := make([]string, 0, len(r[typeURL]))
	for name := range r[typeURL] {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// follow notes what a message refers to: endpoints, routes, secrets, filter configurations.
func (r references) follow(message proto.Message) {
	switch found := message.(type) {
	case *clusterv3.Cluster:
		if found.GetType() == clusterv3.Cluster_EDS {
			name := found.GetEdsClusterConfig().GetServiceName()
			if name == "" {
				name = found.GetName()
			}
			r.add(endpointType, name)
		}
	case *hcmv3.HttpConnectionManager:
		r.add(routeType, found.GetRds().GetRouteConfigName())
		for _, filter := range found.GetHttpFilters() {
			if filter.GetConfigDiscovery() != nil {
				r.add(extensionType, filter.GetName())
			}
		}
	case *tlsv3.SdsSecretConfig:
		if found.GetSdsConfig() != nil {
			r.add(secretType, found.GetName())
		}
	}
}

// client receives resources of one type after another over one variant.
type client interface {
	// fetch asks for names (none: all there are) and returns what came, by name where the variant tells one.
	fetch(typeURL string, names []string) ([]*anypb.Any, error)
}

func resourcesCommand(arguments []string) error {
	var to target
	var variant, nodeJSON string
	parse("resources", arguments, func(flags *flag.FlagSet) {
		to.define(flags)
		flags.StringVar(&variant, "variant", "delta-ads", "delta-ads, world-ads, delta or world")
		flags.StringVar(&nodeJSON, "node", "", "the node, as JSON")
	})
	node := &corev3.Node{}
	if err := protojson.Unmarshal([]byte(nodeJSON), node); err != nil {
		return err
	}
	conn, err := to.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	said := newOpinion()
	from, err := newClient(ctx, conn, variant, node, said)
	if err != nil {
		return err
	}
	return inspectAll(from, variant, said)
}

func newClient(ctx context.Context, conn *grpc.ClientConn, variant string, node *corev3.Node, said *opinion) (client, error) {
	heard := &manners{said: said, nonces: map[string]bool{}}
	switch variant {
	case "delta-ads", "delta":
		return &deltaClient{manners: heard, ctx: ctx, conn: conn, node: node, aggregated: variant == "delta-ads", streams: map[string]deltaStream{}, waiting: map[string][]*deltaResponse{}}, nil
	case "world-ads", "world":
		return &worldClient{manners: heard, ctx: ctx, conn: conn, node: node, aggregated: variant == "world-ads", streams: map[string]worldStream{}, waiting: map[string][]*worldResponse{}}, nil
	}
	return nil, fmt.Errorf("there is no variant %s", variant)
}

// inspectAll asks in the order in which an Envoy does: what refers before what is referred to.
func inspectAll(from client, variant string, said *opinion) error {
	refers := references{}
	counts := map[string]int{}
	order := []string{clusterType, endpointType, listenerType, routeType, virtualHostType, extensionType, secretType}
	for _, typeURL := range order {
		names := refers.of(typeURL)
		if typeURL == virtualHostType {
			if variant == "world-ads" || variant == "world" {
				continue
			}
		} else if len(names) == 0 && typeURL != clusterType && typeURL != listenerType {
			continue
		}
		resources, err := from.fetch(typeURL, names)
		if err != nil {
			return fmt.Errorf("%s %v: %w", typeURL, names, err)
		}
		counts[typeURL] = len(resources)
		for index, resource := range resources {
			if resource.GetTypeUrl() != typeURL {
				said.Problems = append(said.Problems, fmt.Sprintf("%s[%d] is of type %s", typeURL, index, resource.GetTypeUrl()))
			}
			said.inspectAny(fmt.Sprintf("%s[%d]", resource.MessageName().Name(), index), resource, refers.follow)
		}
	}
	return print(struct {
		*opinion
		Counts map[string]int `json:"counts"`
	}{said, counts})
}

// bootstrapCommand gives its opinion on an Envoy's bootstrap that stands on standard input as JSON.
func bootstrapCommand([]string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	message := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(text, message); err != nil {
		return err
	}
	said := newOpinion()
	packed, err := anypb.New(message)
	if err != nil {
		return err
	}
	said.inspectAny("bootstrap", packed, func(proto.Message) {})
	return print(said)
}

// inspectCommand gives its opinion on resources that stand on standard input, one JSON object {name, typeUrl, value} a line.
func inspectCommand([]string) error {
	said := newOpinion()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			Name, TypeURL string
			Value         []byte
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		said.inspectAny(line.Name, &anypb.Any{TypeUrl: line.TypeURL, Value: line.Value}, func(proto.Message) {})
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return print(said)
}
