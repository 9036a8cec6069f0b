package sysroot

import (
	"reflect"
	"testing"
)

// TestOptionsFromEnv has every word of the two variables.
func TestOptionsFromEnv(t *testing.T) {
	for _, tt := range []struct {
		opts, debug string
		want        Options
	}{
		{"", "", Options{}},
		{"skip-sync", "", Options{SkipSync: true}},
		{"no-early-prune", "", Options{NoEarlyPrune: true}},
		{"bootloader-naming-1", "", Options{OldEntryNames: true}},
		{"skip-sync,no-early-prune:bootloader-naming-1", "", Options{SkipSync: true, NoEarlyPrune: true, OldEntryNames: true}},
		{"", "mutable-deployments", Options{MutableDeployments: true}},
		{"", "no-dtb", Options{NoDeviceTree: true}},
		{"", "no-xattrs", Options{NoXattrs: true}},
		{"", "test-fifreeze", Options{TestFreeze: true}},
		{"", "mutable-deployments no-dtb;NO-XATTRS", Options{MutableDeployments: true, NoDeviceTree: true, NoXattrs: true}},
		{"mutable-deployments,nonsense", "skip-sync", Options{}},
	} {
		t.Setenv("OSTREE_SYSROOT_OPTS", tt.opts)
		t.Setenv("OSTREE_SYSROOT_DEBUG", tt.debug)
		if got := OptionsFromEnv(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q %q: %+v, want %+v", tt.opts, tt.debug, got, tt.want)
		}
	}
}
