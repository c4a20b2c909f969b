// Requests as istioctl makes them of a control plane (`--xds-address`, with `--plaintext` or a token), and its answers as istioctl reads them.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const debugType = "istio.io/debug"

// controlPlaneInstance is what istioctl takes out of control_plane.identifier.
type controlPlaneInstance struct {
	Component string
	ID        string
	Info      struct {
		Version       string `json:"version"`
		GitRevision   string `json:"revision"`
		GolangVersion string `json:"golang_version"`
		BuildStatus   string `json:"status"`
		GitTag        string `json:"tag"`
	}
}

type names []string

func (n *names) String() string { return strings.Join(*n, ",") }
func (n *names) Set(name string) error {
	*n = append(*n, name)
	return nil
}

// question is one command's request. istioctl's own node is not the workload whose token it may show, and the nonce of its first request is the time.
type question struct {
	target
	typeURL string
	names   names
}

func (q *question) define(flags *flag.FlagSet) {
	q.target.define(flags)
	flags.StringVar(&q.typeURL, "type", "", "type URL")
	flags.Var(&q.names, "name", "resource name; may be repeated")
}

func istioctlNode() *corev3.Node {
	metadata, _ := structpb.NewStruct(map[string]any{"GENERATOR": "event", "SERVICE_ACCOUNT": "default", "NAMESPACE": "istio-system", "ISTIO_VERSION": "65536.65536.65536"})
	return &corev3.Node{Id: "sidecar~10.0.0.99~test-1.default~default.svc.cluster.local", Metadata: metadata}
}

// ask opens a stream, asks once and waits for the first response of the type; like istioctl it acknowledges only what is not a debug type.
func (q *question) ask(ctx context.Context) (*discovery.DiscoveryResponse, error) {
	conn, err := q.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&discovery.DiscoveryRequest{Node: istioctlNode(), TypeUrl: q.typeURL, ResourceNames: q.names, ResponseNonce: time.Now().String()}); err != nil && err != io.EOF {
		return nil, err
	}
	// Why the server ended the stream, if it did, is told to who reads.
	for {
		response, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if response.TypeUrl != q.typeURL {
			continue
		}
		if strings.HasPrefix(q.typeURL, debugType) {
			return response, nil
		}
		return response, stream.Send(&discovery.DiscoveryRequest{Node: istioctlNode(), TypeUrl: q.typeURL, VersionInfo: response.VersionInfo, ResponseNonce: response.Nonce})
	}
}

// answer is what istioctl would have to work with.
type answer struct {
	ControlPlane controlPlaneInstance `json:"controlPlane"`
	// Resources of messages as JSON; pages as their text.
	Resources []any    `json:"resources"`
	Types     []string `json:"types"`
	Problems  []string `json:"problems"`
}

func istioctlCommand(arguments []string) error {
	var q question
	parse("istioctl", arguments, q.define)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	response, err := q.ask(ctx)
	if err != nil {
		return err
	}
	read := answer{Resources: []any{}, Types: []string{}, Problems: []string{}}
	if err := strictly([]byte(response.GetControlPlane().GetIdentifier()), &read.ControlPlane); err != nil {
		read.Problems = append(read.Problems, fmt.Sprintf("control_plane.identifier: %v", err))
	}
	for _, resource := range response.Resources {
		read.Types = append(read.Types, resource.GetTypeUrl())
		read.add(resource, q.names)
	}
	return print(read)
}

func (a *answer) add(resource *anypb.Any, names names) {
	if resource.TypeUrl == debugType {
		a.Resources = append(a.Resources, string(resource.Value))
		page, _, _ := strings.Cut(names[0], "?")
		if json.Valid(resource.Value) {
			if err := readPage(page, resource.Value); err != nil {
				a.Problems = append(a.Problems, fmt.Sprintf("%s: %v", page, err))
			}
		}
		return
	}
	said := newOpinion()
	said.inspectAny(string(resource.MessageName().Name()), resource, func(message proto.Message) {
		if node, ok := message.(*corev3.Node); ok {
			if err := readMetadata(node.GetMetadata()); err != nil {
				said.Problems = append(said.Problems, fmt.Sprintf("metadata of %s: %v", node.GetId(), err))
			}
		}
	})
	a.Problems = append(a.Problems, said.Problems...)
	text, err := protojson.Marshal(resource)
	if err != nil {
		a.Problems = append(a.Problems, err.Error())
		return
	}
	a.Resources = append(a.Resources, json.RawMessage(text))
}
