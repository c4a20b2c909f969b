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

// manners notes what every response must have: who says it, and a nonce that its stream never gave before.
type manners struct {
	said   *opinion
	nonces map[string]bool
}

func (m *manners) hear(stream, typeURL, nonce string, from *corev3.ControlPlane) {
	if from.GetIdentifier() == "" {
		m.said.Problems = append(m.said.Problems, typeURL+": a response that does not say who answers")
	}
	if key := stream + " " + nonce; nonce == "" || m.nonces[key] {
		m.said.Problems = append(m.said.Problems, fmt.Sprintf("%s: the nonce %q again", typeURL, nonce))
	} else {
		m.nonces[key] = true
	}
}

// check notes a resource whose wrapping and message disagree about its name.
func (m *manners) check(resource *discovery.Resource) {
	message, err := resource.GetResource().UnmarshalNew()
	if err != nil {
		return
	}
	own := ""
	switch found := message.(type) {
	case interface{ GetClusterName() string }:
		own = found.GetClusterName()
	case interface{ GetName() string }:
		own = found.GetName()
	}
	if own != resource.Name || resource.Version == "" {
		m.said.Problems = append(m.said.Problems, fmt.Sprintf("the resource %q of version %q calls itself %q", resource.Name, resource.Version, own))
	}
}

type deltaClient struct {
	*manners
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
			c.check(resource)
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
		c.hear(c.key(typeURL), response.TypeUrl, response.Nonce, response.ControlPlane)
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: response.TypeUrl, ResponseNonce: response.Nonce}); err != nil {
			return nil, err
		}
		c.waiting[response.TypeUrl] = append(c.waiting[response.TypeUrl], response)
	}
	response := c.waiting[typeURL][0]
	c.waiting[typeURL] = c.waiting[typeURL][1:]
	return response, nil
}

// key tells streams apart: one for all types, or one for each.
func (c *deltaClient) key(typeURL string) string {
	if c.aggregated {
		return ""
	}
	return typeURL
}

func (c *deltaClient) stream(typeURL string) (deltaStream, bool, error) {
	key := c.key(typeURL)
	if open, ok := c.streams[key]; ok {
		return open, false, nil
	}
	opened, err := openDeltaStream(c.ctx, c.conn, key)
	c.streams[key] = opened
	return opened, true, err
}

type worldClient struct {
	*manners
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
		c.hear(key, response.TypeUrl, response.Nonce, response.ControlPlane)
		c.waiting[response.TypeUrl] = append(c.waiting[response.TypeUrl], response)
	}
	response := c.waiting[typeURL][0]
	c.waiting[typeURL] = c.waiting[typeURL][1:]
	if response.VersionInfo == "" {
		c.said.Problems = append(c.said.Problems, typeURL+": a state of the world without a version")
	}
	ack := &discovery.DiscoveryRequest{TypeUrl: typeURL, ResourceNames: names, VersionInfo: response.VersionInfo, ResponseNonce: response.Nonce}
	return response.Resources, stream.Send(ack)
}
