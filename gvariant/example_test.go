package gvariant_test

import (
	"fmt"

	"rpmostree/gvariant"
)

func Example() {
	var metadata gvariant.Dict
	metadata.Set("version", gvariant.String("42.1"))
	metadata.Set("size", gvariant.Uint64(7))
	v := metadata.Value()
	version, _ := v.Lookup("version")
	fmt.Println(v.Type(), v.Print(true), version.Str())

	parsed, err := gvariant.Parse("", "{'version': <'42.1'>, 'size': <uint64 7>}")
	fmt.Println(gvariant.Equal(v, parsed), err)
	// Output:
	// a{sv} {'version': <'42.1'>, 'size': <uint64 7>} 42.1
	// true <nil>
}
