// The four variants of discovery streams, on the stubs that Envoy's API is published with.
package main

import (
	"context"
	"fmt"

	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	extensionservice "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
)

const (
	clusterType     = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	endpointType    = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	listenerType    = "type.googleapis.com/envoy.config.listener.v3.Listener"
	routeType       = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	virtualHostType = "type.googleapis.com/envoy.config.route.v3.VirtualHost"
	secretType      = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
	extensionType   = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
)

type worldStream interface {
	Send(*discovery.DiscoveryRequest) error
	Recv() (*discovery.DiscoveryResponse, error)
}

type deltaStream interface {
	Send(*discovery.DeltaDiscoveryRequest) error
	Recv() (*discovery.DeltaDiscoveryResponse, error)
}

func openWorldStream(ctx context.Context, conn *grpc.ClientConn, typeURL string) (worldStream, error) {
	switch typeURL {
	case "":
		return discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	case clusterType:
		return clusterservice.NewClusterDiscoveryServiceClient(conn).StreamClusters(ctx)
	case endpointType:
		return endpointservice.NewEndpointDiscoveryServiceClient(conn).StreamEndpoints(ctx)
	case listenerType:
		return listenerservice.NewListenerDiscoveryServiceClient(conn).StreamListeners(ctx)
	case routeType:
		return routeservice.NewRouteDiscoveryServiceClient(conn).StreamRoutes(ctx)
	case secretType:
		return secretservice.NewSecretDiscoveryServiceClient(conn).StreamSecrets(ctx)
	case extensionType:
		return extensionservice.NewExtensionConfigDiscoveryServiceClient(conn).StreamExtensionConfigs(ctx)
	}
	return nil, fmt.Errorf("no stream of the state of the world for %s", typeURL)
}

func openDeltaStream(ctx context.Context, conn *grpc.ClientConn, typeURL string) (deltaStream, error) {
	switch typeURL {
	case "":
		return discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	case clusterType:
		return clusterservice.NewClusterDiscoveryServiceClient(conn).DeltaClusters(ctx)
	case endpointType:
		return endpointservice.NewEndpointDiscoveryServiceClient(conn).DeltaEndpoints(ctx)
	case listenerType:
		return listenerservice.NewListenerDiscoveryServiceClient(conn).DeltaListeners(ctx)
	case routeType:
		return routeservice.NewRouteDiscoveryServiceClient(conn).DeltaRoutes(ctx)
	case virtualHostType:
		return routeservice.NewVirtualHostDiscoveryServiceClient(conn).DeltaVirtualHosts(ctx)
	case secretType:
		return secretservice.NewSecretDiscoveryServiceClient(conn).DeltaSecrets(ctx)
	case extensionType:
		return extensionservice.NewExtensionConfigDiscoveryServiceClient(conn).DeltaExtensionConfigs(ctx)
	}
	return nil, fmt.Errorf("no delta stream for %s", typeURL)
}
