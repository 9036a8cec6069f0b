package rpm

type feature struct{ name, version string }

// features are the rpmlib() dependencies that this package satisfies, and the
// version from which rpm does (lib/rpmds.cc).
var features = [...]feature{
	{"BuiltinLuaScripts", "4.2.2-1"},
	{"CaretInVersions", "4.15.0-1"},
	{"CompressedFileNames", "3.0.4-1"},
	{"ConcurrentAccess", "4.1-1"},
	{"DynamicBuildRequires", "4.15.0-1"},
	{"ExplicitPackageProvide", "4.0-1"},
	{"FileCaps", "4.6.1-1"},
	{"FileDigests", "4.6.0-1"},
	{"HeaderLoadSortsTags", "4.0.1-1"},
	{"LargeFiles", "4.12.0-1"},
	{"PartialHardlinkSets", "4.0.4-1"},
	{"PayloadFilesHavePrefix", "4.0-1"},
	{"PayloadIsBzip2", "3.0.5-1"},
	{"PayloadIsLzma", "4.4.6-1"},
	{"PayloadIsXz", "5.2-1"},
	{"PayloadIsZstd", "5.4.18-1"},
	{"RichDependencies", "4.12.0-1"},
	{"ScriptletExpansion", "4.9.0-1"},
	{"ScriptletInterpreterArgs", "4.0.3-1"},
	{"TildeInVersions", "4.10.0-1"},
	{"VersionedDependencies", "3.0.3-1"},
}

// Features returns the rpmlib() features that Open accepts, as provides.
func Features() []Dep {
	out := make([]Dep, len(features))
	for i, f := range features {
		out[i] = Dep{"rpmlib(" + f.name + ")", DepRpmlib | DepEqual, f.version}
	}
	return out
}
