// A second opinion on a message: what its schema does not know, what the checks published with Envoy's API refuse, what is deprecated.
package main

import (
	"fmt"
	"sort"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// opinion gathers what was found. Paths are of fields, through the messages inside Any.
type opinion struct {
	Problems   []string `json:"problems"`
	Deprecated []string `json:"deprecated"`
	// Messages counts every message that was looked at, by its full name.
	Messages map[string]int `json:"messages"`
	seen     map[string]bool
}

func newOpinion() *opinion {
	return &opinion{Problems: []string{}, Deprecated: []string{}, Messages: map[string]int{}, seen: map[string]bool{}}
}

// inspectAny decodes what is inside and looks at all of it, calling visit for each message.
func (o *opinion) inspectAny(path string, packed *anypb.Any, visit func(proto.Message)) {
	message, err := packed.UnmarshalNew()
	if err != nil {
		o.Problems = append(o.Problems, fmt.Sprintf("%s: %v", path, err))
		return
	}
	for _, problem := range refusals(message) {
		o.Problems = append(o.Problems, fmt.Sprintf("%s: %v", path, problem))
	}
	o.inspect(path, message.ProtoReflect(), visit)
}

func (o *opinion) inspect(path string, message protoreflect.Message, visit func(proto.Message)) {
	name := message.Descriptor().FullName()
	o.Messages[string(name)]++
	if unknown := message.GetUnknown(); len(unknown) > 0 {
		o.Problems = append(o.Problems, fmt.Sprintf("%s: %d bytes that %s does not know", path, len(unknown), name))
	}
	visit(message.Interface())
	if packed, ok := message.Interface().(*anypb.Any); ok {
		if packed.TypeUrl == "" {
			o.Problems = append(o.Problems, path+": an Any without a type")
			return
		}
		o.inspectAny(fmt.Sprintf("%s<%s>", path, packed.MessageName().Name()), packed, visit)
		return
	}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if options, ok := field.Options().(*descriptorpb.FieldOptions); ok && options.GetDeprecated() {
			o.deprecate(string(field.FullName()))
		}
		o.inspectField(fmt.Sprintf("%s.%s", path, field.Name()), field, value, visit)
		return true
	})
}

func (o *opinion) inspectField(path string, field protoreflect.FieldDescriptor, value protoreflect.Value, visit func(proto.Message)) {
	switch {
	case field.IsMap():
		if field.MapValue().Message() != nil {
			value.Map().Range(func(key protoreflect.MapKey, inner protoreflect.Value) bool {
				o.inspect(fmt.Sprintf("%s[%s]", path, key.String()), inner.Message(), visit)
				return true
			})
		}
	case field.IsList():
		for index := range value.List().Len() {
			o.inspectValue(fmt.Sprintf("%s[%d]", path, index), field, value.List().Get(index), visit)
		}
	default:
		o.inspectValue(path, field, value, visit)
	}
}

func (o *opinion) inspectValue(path string, field protoreflect.FieldDescriptor, value protoreflect.Value, visit func(proto.Message)) {
	if field.Message() != nil {
		o.inspect(path, value.Message(), visit)
		return
	}
	if field.Enum() == nil {
		return
	}
	known := field.Enum().Values().ByNumber(value.Enum())
	if known == nil {
		o.Problems = append(o.Problems, fmt.Sprintf("%s: %s has no value %d", path, field.Enum().FullName(), value.Enum()))
	} else if options, ok := known.Options().(*descriptorpb.EnumValueOptions); ok && options.GetDeprecated() {
		o.deprecate(string(known.FullName()))
	}
}

func (o *opinion) deprecate(name string) {
	if !o.seen[name] {
		o.seen[name] = true
		o.Deprecated = append(o.Deprecated, name)
		sort.Strings(o.Deprecated)
	}
}

// refusals are those of protoc-gen-validate's rules, for the message and all below it short of the inside of an Any.
func refusals(message proto.Message) []error {
	checked, ok := message.(interface{ ValidateAll() error })
	if !ok {
		return nil
	}
	err := checked.ValidateAll()
	if err == nil {
		return nil
	}
	if several, ok := err.(interface{ AllErrors() []error }); ok {
		return several.AllErrors()
	}
	return []error{err}
}
