package bootloader_test

import (
	"fmt"

	"rpmostree/ostree/bootloader"
)

func Example() {
	kargs := bootloader.ParseKargs("root=LABEL=root ro quiet")
	kargs.Replace("root=UUID=1234")
	kargs.Append("console=ttyS0")
	if err := kargs.Delete("quiet"); err != nil {
		fmt.Println(err)
	}

	var entry bootloader.Entry
	entry.Set("linux", "/ostree/os-1/vmlinuz-6.1")
	entry.Set("options", kargs.String())
	entry.Set("title", "An OS (ostree:0)")
	text, err := entry.Marshal()
	fmt.Print(string(text), err)
	// Output:
	// title An OS (ostree:0)
	// options root=UUID=1234 ro console=ttyS0
	// linux /ostree/os-1/vmlinuz-6.1
	// <nil>
}
