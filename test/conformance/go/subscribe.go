// The two dialects of discovery as a plain client speaks them: ask, take, acknowledge.
package main

import (
	"context"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

type deltaResponse = discovery.DeltaDiscoveryResponse
type worldResponse = discovery.DiscoveryResponse

type deltaClient struct {
	ctx        context.Context
	conn       *grpc.ClientConn
	node       *corev3.Node
	aggregated bool
	streams    map[string]deltaStream
	// Responses of types that nobody waits for at the moment.
	waiting map[string][]*deltaResponse
}

// fetch returns when every name was sent or said not to exist; without names, after the first response.
func (c *deltaClient) fetch(typeURL string, names []string) ([]*anypb.Any, error) {
	stream, isNew, err := c.stream(typeURL)
	if err != nil {
		return nil, err
	}
	request := &discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names}
	if isNew {
		request.Node = c.node
	}
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	missing := map[string]bool{}
	for _, name := range names {
		missing[name] = true
	}
	var resources []*anypb.Any
	for first := true; first || len(missing) > 0; first = false {
		response, err := c.next(stream, typeURL)
		if err != nil {
			return nil, fmt.Errorf("without %v: %w", missing, err)
		}
		for _, resource := range response.Resources {
			if resource.Name == "" || resource.Version == "" {
				return nil, fmt.Errorf("a resource without a name or version: %q %q", resource.Name, resource.Version)
			}
			delete(missing, resource.Name)
			resources = append(resources, resource.Resource)
		}
		for _, name := range response.RemovedResources {
			delete(missing, name)
		}
	}
	return resources, nil
}

func (c *deltaClient) next(stream deltaStream, typeURL string) (*deltaResponse, error) {
	for len(c.waiting[typeURL]) == 0 {
		response, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: response.TypeUrl, ResponseNonce: response.Nonce}); err != nil {
			return nil, err
		}
		c.waiting[response.TypeUrl] = append(c.waiting[response.TypeUrl], response)
	}
	response := c.waiting[typeURL][0]
	c.waiting[typeURL] = c.waiting[typeURL][1:]
	return response, nil
}

func (c *deltaClient) stream(typeURL string) (deltaStream, bool, error) {
	key := typeURL
	if c.aggregated {
		key = ""
	}
	if open, ok := c.streams[key]; ok {
		return open, false, nil
	}
	opened, err := openDeltaStream(c.ctx, c.conn, key)
	c.streams[key] = opened
	return opened, true, err
}

type worldClient struct {
	ctx        context.Context
	conn       *grpc.ClientConn
	node       *corev3.Node
	aggregated bool
	streams    map[string]worldStream
	waiting    map[string][]*worldResponse
}

// fetch returns the first response: a state of the world is whole.
func (c *worldClient) fetch(typeURL string, names []string) ([]*anypb.Any, error) {
	key := typeURL
	if c.aggregated {
		key = ""
	}
	request := &discovery.DiscoveryRequest{TypeUrl: typeURL, ResourceNames: names}
	stream, ok := c.streams[key]
	if !ok {
		opened, err := openWorldStream(c.ctx, c.conn, key)
		if err != nil {
			return nil, err
		}
		stream, c.streams[key], request.Node = opened, opened, c.node
	}
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	for len(c.waiting[typeURL]) == 0 {
		response, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		c.waiting[response.TypeUrl] = append(c.waiting[response.TypeUrl], response)
	}
	response := c.waiting[typeURL][0]
	c.waiting[typeURL] = c.waiting[typeURL][1:]
	if response.VersionInfo == "" || response.Nonce == "" {
		return nil, fmt.Errorf("a response without version or nonce: %q %q", response.VersionInfo, response.Nonce)
	}
	ack := &discovery.DiscoveryRequest{TypeUrl: typeURL, ResourceNames: names, VersionInfo: response.VersionInfo, ResponseNonce: response.Nonce}
	return response.Resources, stream.Send(ack)
}
