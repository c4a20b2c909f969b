// The shapes of istiod's debug pages, as facts: names, types, and what may be absent. Read strictly, a page with a field that istiod's has not is refused.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	extensions "istio.io/api/extensions/v1alpha1"
	mesh "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
)

type syncStatus struct {
	ClusterID            string                    `json:"cluster_id"`
	ProxyID              string                    `json:"proxy"`
	ProxyType            string                    `json:"proxy_type"`
	ProxyVersion         string                    `json:"proxy_version"`
	IstioVersion         string                    `json:"istio_version"`
	ClusterSent          string                    `json:"cluster_sent"`
	ClusterAcked         string                    `json:"cluster_acked"`
	ListenerSent         string                    `json:"listener_sent"`
	ListenerAcked        string                    `json:"listener_acked"`
	RouteSent            string                    `json:"route_sent"`
	RouteAcked           string                    `json:"route_acked"`
	EndpointSent         string                    `json:"endpoint_sent"`
	EndpointAcked        string                    `json:"endpoint_acked"`
	ExtensionConfigSent  string                    `json:"extensionconfig_sent"`
	ExtensionConfigAcked string                    `json:"extensionconfig_acked"`
	Resources            map[string]resourceStatus `json:"resources"`
}

type resourceStatus struct {
	Sent      string    `json:"sent"`
	Acked     string    `json:"acked"`
	SentTime  time.Time `json:"sentTime"`
	LastError string    `json:"lastError"`
}

type adsClients struct {
	Total   int `json:"totalClients"`
	Clients []struct {
		ConnectionID string              `json:"connectionId"`
		ConnectedAt  time.Time           `json:"connectedAt"`
		PeerAddress  string              `json:"address"`
		Labels       map[string]string   `json:"labels"`
		Metadata     *nodeMetadata       `json:"metadata"`
		Locality     map[string]string   `json:"locality"`
		Watches      map[string][]string `json:"watches"`
	} `json:"clients"`
}

// nodeMetadata is what istioctl takes out of a node's metadata; a value of another kind would end its command. It passes over other keys.
type nodeMetadata struct{ known knownMetadata }

type knownMetadata struct {
	ProxyConfig    *json.RawMessage  `json:"PROXY_CONFIG"`
	IstioVersion   string            `json:"ISTIO_VERSION"`
	IstioRevision  string            `json:"ISTIO_REVISION"`
	Labels         map[string]string `json:"LABELS"`
	Annotations    map[string]string `json:"ANNOTATIONS"`
	InstanceIPs    string            `json:"INSTANCE_IPS"`
	Namespace      string            `json:"NAMESPACE"`
	NodeName       string            `json:"NODE_NAME"`
	WorkloadName   string            `json:"WORKLOAD_NAME"`
	ServiceAccount string            `json:"SERVICE_ACCOUNT"`
	MeshID         string            `json:"MESH_ID"`
	ClusterID      string            `json:"CLUSTER_ID"`
	Network        string            `json:"NETWORK"`
	Generator      string            `json:"GENERATOR"`
	InstanceName   string            `json:"NAME"`
	Owner          string            `json:"OWNER"`
}

func (m *nodeMetadata) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &m.known); err != nil {
		return err
	}
	if m.known.ProxyConfig == nil {
		return nil
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(*m.known.ProxyConfig, &mesh.ProxyConfig{})
}

func readMetadata(metadata *structpb.Struct) error {
	text, err := protojson.Marshal(metadata)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &nodeMetadata{})
}

type addressMap struct{ Addresses map[string][]string }

type service struct {
	Attributes struct {
		ServiceRegistry, Name, Namespace string
		Labels, LabelSelectors           map[string]string
		ExportTo                         map[string]struct{}
		Aliases                          []struct{ Hostname, Namespace string }
		ClusterExternalAddresses         *addressMap
		ClusterExternalPorts             map[string]map[uint32]uint32
		PassthroughTargetPorts           map[uint32]uint32
		Type, ExternalName, ObjectName   string
		NodeLocal                        bool
		TrafficDistribution              int
		PublishNotReadyAddresses         bool
	}
	Hostname string `json:"hostname"`
	Ports    []struct {
		Name     string `json:"name"`
		Port     int    `json:"port"`
		Protocol string `json:"protocol"`
	} `json:"ports"`
	ServiceAccounts          []string   `json:"serviceAccounts"`
	ClusterVIPs              addressMap `json:"clusterVIPs"`
	CreationTime             time.Time  `json:"creationTime"`
	DefaultAddress           string     `json:"defaultAddress"`
	AutoAllocatedIPv4Address string     `json:"autoAllocatedIPv4Address"`
	AutoAllocatedIPv6Address string     `json:"autoAllocatedIPv6Address"`
	ResourceVersion          string
	Resolution               int
	MeshExternal             bool
}

type shards map[string]map[string]struct {
	Shards map[string][]struct {
		Labels                          map[string]string
		Addresses                       []string
		ServicePortName, ServiceAccount string
		LegacyClusterPortKey            int
		Network                         string
		Locality                        struct{ Label, ClusterID string }
		EndpointPort, LbWeight          uint32
		TLSMode, Namespace              string
		WorkloadName                    string
		HostName, SubDomain, NodeName   string
		HealthStatus                    int32
		SendUnhealthyEndpoints          bool
	}
	ServiceAccounts map[string]struct{}
}

type object struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Metadata   struct {
		Name              string            `json:"name"`
		Namespace         string            `json:"namespace"`
		ResourceVersion   string            `json:"resourceVersion"`
		Generation        int64             `json:"generation"`
		CreationTimestamp *time.Time        `json:"creationTimestamp"`
		Labels            map[string]string `json:"labels"`
		Annotations       map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec   json.RawMessage  `json:"spec"`
	Status *json.RawMessage `json:"status"`
}

var specs = map[string]func() proto.Message{
	"VirtualService":        func() proto.Message { return &networking.VirtualService{} },
	"DestinationRule":       func() proto.Message { return &networking.DestinationRule{} },
	"Gateway":               func() proto.Message { return &networking.Gateway{} },
	"ServiceEntry":          func() proto.Message { return &networking.ServiceEntry{} },
	"Sidecar":               func() proto.Message { return &networking.Sidecar{} },
	"WorkloadEntry":         func() proto.Message { return &networking.WorkloadEntry{} },
	"EnvoyFilter":           func() proto.Message { return &networking.EnvoyFilter{} },
	"AuthorizationPolicy":   func() proto.Message { return &security.AuthorizationPolicy{} },
	"PeerAuthentication":    func() proto.Message { return &security.PeerAuthentication{} },
	"RequestAuthentication": func() proto.Message { return &security.RequestAuthentication{} },
	"Telemetry":             func() proto.Message { return &telemetry.Telemetry{} },
	"WasmPlugin":            func() proto.Message { return &extensions.WasmPlugin{} },
}

type pushStatus map[string]map[string]struct {
	Proxy   string `json:"proxy"`
	Message string `json:"message"`
}

var pages = map[string]func(text []byte) error{
	"syncz":          func(text []byte) error { return strictly(text, &[]syncStatus{}) },
	"adsz":           func(text []byte) error { return strictly(text, &adsClients{}) },
	"connections":    func(text []byte) error { return strictly(text, &adsClients{}) },
	"config_dump":    readDump,
	"edsz":           readDump,
	"ecdsz":          readDump,
	"registryz":      func(text []byte) error { return strictly(text, &[]service{}) },
	"endpointz":      func(text []byte) error { return strictly(text, &shards{}) },
	"endpointShardz": func(text []byte) error { return strictly(text, &shards{}) },
	"configz":        readConfiguration,
	"mesh":           func(text []byte) error { return protojson.Unmarshal(text, &mesh.MeshConfig{}) },
	"push_status":    func(text []byte) error { return strictly(text, &pushStatus{}) },
	"list":           func(text []byte) error { return strictly(text, &[]string{}) },
}

func readPage(page string, text []byte) error {
	read := pages[page]
	if read == nil {
		return fmt.Errorf("istiod has no page %s that is known here", page)
	}
	return read(text)
}

func readDump(text []byte) error {
	dump := &adminv3.ConfigDump{}
	if err := protojson.Unmarshal(text, dump); err != nil {
		return err
	}
	for index, config := range dump.Configs {
		said := newOpinion()
		said.inspectAny(fmt.Sprintf("configs[%d]", index), config, func(proto.Message) {})
		if len(said.Problems) > 0 {
			return errors.New(said.Problems[0])
		}
	}
	return nil
}

func readConfiguration(text []byte) error {
	var objects []object
	if err := strictly(text, &objects); err != nil {
		return err
	}
	for _, found := range objects {
		spec, isIstios := specs[found.Kind]
		if !isIstios {
			continue
		}
		if err := protojson.Unmarshal(found.Spec, spec()); err != nil {
			return fmt.Errorf("%s %s/%s: %w", found.Kind, found.Metadata.Namespace, found.Metadata.Name, err)
		}
	}
	return nil
}

func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}
