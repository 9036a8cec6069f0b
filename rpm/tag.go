package rpm

import (
	"slices"
	"strconv"
	"strings"
)

// Tag numbers a value in a header.
type Tag uint32

// Tags of a main header, and those that only the database adds to one.
const (
	TagHeaderImage                 Tag = 61
	TagHeaderSignatures            Tag = 62
	TagHeaderImmutable             Tag = 63
	TagHeaderI18NTable             Tag = 100
	TagSigSize                     Tag = 257
	TagSigPGP                      Tag = 259
	TagSigMD5                      Tag = 261
	TagSigGPG                      Tag = 262
	TagPubKeys                     Tag = 266
	TagDSAHeader                   Tag = 267
	TagRSAHeader                   Tag = 268
	TagSHA1Header                  Tag = 269
	TagLongSigSize                 Tag = 270
	TagLongArchiveSize             Tag = 271
	TagSHA256Header                Tag = 273
	TagVeritySignatures            Tag = 276
	TagVeritySignatureAlgo         Tag = 277
	TagOpenPGP                     Tag = 278
	TagSHA3Header                  Tag = 279
	TagName                        Tag = 1000
	TagVersion                     Tag = 1001
	TagRelease                     Tag = 1002
	TagEpoch                       Tag = 1003
	TagSummary                     Tag = 1004
	TagDescription                 Tag = 1005
	TagBuildTime                   Tag = 1006
	TagBuildHost                   Tag = 1007
	TagInstallTime                 Tag = 1008
	TagSize                        Tag = 1009
	TagDistribution                Tag = 1010
	TagVendor                      Tag = 1011
	TagGIF                         Tag = 1012
	TagXPM                         Tag = 1013
	TagLicense                     Tag = 1014
	TagPackager                    Tag = 1015
	TagGroup                       Tag = 1016
	TagSource                      Tag = 1018
	TagPatch                       Tag = 1019
	TagURL                         Tag = 1020
	TagOS                          Tag = 1021
	TagArch                        Tag = 1022
	TagPreIn                       Tag = 1023
	TagPostIn                      Tag = 1024
	TagPreUn                       Tag = 1025
	TagPostUn                      Tag = 1026
	TagOldFileNames                Tag = 1027
	TagFileSizes                   Tag = 1028
	TagFileStates                  Tag = 1029
	TagFileModes                   Tag = 1030
	TagFileRdevs                   Tag = 1033
	TagFileMtimes                  Tag = 1034
	TagFileDigests                 Tag = 1035
	TagFileLinkTos                 Tag = 1036
	TagFileFlags                   Tag = 1037
	TagFileUserName                Tag = 1039
	TagFileGroupName               Tag = 1040
	TagIcon                        Tag = 1043
	TagSourceRPM                   Tag = 1044
	TagFileVerifyFlags             Tag = 1045
	TagArchiveSize                 Tag = 1046
	TagProvideName                 Tag = 1047
	TagRequireFlags                Tag = 1048
	TagRequireName                 Tag = 1049
	TagRequireVersion              Tag = 1050
	TagNoSource                    Tag = 1051
	TagNoPatch                     Tag = 1052
	TagConflictFlags               Tag = 1053
	TagConflictName                Tag = 1054
	TagConflictVersion             Tag = 1055
	TagExcludeArch                 Tag = 1059
	TagExcludeOS                   Tag = 1060
	TagExclusiveArch               Tag = 1061
	TagExclusiveOS                 Tag = 1062
	TagRPMVersion                  Tag = 1064
	TagTriggerScripts              Tag = 1065
	TagTriggerName                 Tag = 1066
	TagTriggerVersion              Tag = 1067
	TagTriggerFlags                Tag = 1068
	TagTriggerIndex                Tag = 1069
	TagVerifyScript                Tag = 1079
	TagChangelogTime               Tag = 1080
	TagChangelogName               Tag = 1081
	TagChangelogText               Tag = 1082
	TagPreInProg                   Tag = 1085
	TagPostInProg                  Tag = 1086
	TagPreUnProg                   Tag = 1087
	TagPostUnProg                  Tag = 1088
	TagBuildArchs                  Tag = 1089
	TagObsoleteName                Tag = 1090
	TagVerifyScriptProg            Tag = 1091
	TagTriggerScriptProg           Tag = 1092
	TagCookie                      Tag = 1094
	TagFileDevices                 Tag = 1095
	TagFileInodes                  Tag = 1096
	TagFileLangs                   Tag = 1097
	TagPrefixes                    Tag = 1098
	TagInstPrefixes                Tag = 1099
	TagSourcePackage               Tag = 1106
	TagProvideFlags                Tag = 1112
	TagProvideVersion              Tag = 1113
	TagObsoleteFlags               Tag = 1114
	TagObsoleteVersion             Tag = 1115
	TagDirIndexes                  Tag = 1116
	TagBaseNames                   Tag = 1117
	TagDirNames                    Tag = 1118
	TagOrigDirIndexes              Tag = 1119
	TagOrigBaseNames               Tag = 1120
	TagOrigDirNames                Tag = 1121
	TagOptFlags                    Tag = 1122
	TagDistURL                     Tag = 1123
	TagPayloadFormat               Tag = 1124
	TagPayloadCompressor           Tag = 1125
	TagPayloadFlags                Tag = 1126
	TagInstallColor                Tag = 1127
	TagInstallTID                  Tag = 1128
	TagRHNPlatform                 Tag = 1131
	TagPlatform                    Tag = 1132
	TagFileColors                  Tag = 1140
	TagFileClass                   Tag = 1141
	TagClassDict                   Tag = 1142
	TagFileDependsX                Tag = 1143
	TagFileDependsN                Tag = 1144
	TagDependsDict                 Tag = 1145
	TagSourcePkgID                 Tag = 1146
	TagPreTrans                    Tag = 1151
	TagPostTrans                   Tag = 1152
	TagPreTransProg                Tag = 1153
	TagPostTransProg               Tag = 1154
	TagDistTag                     Tag = 1155
	TagOldSuggestsName             Tag = 1156
	TagOldSuggestsVersion          Tag = 1157
	TagOldSuggestsFlags            Tag = 1158
	TagOldEnhancesName             Tag = 1159
	TagOldEnhancesVersion          Tag = 1160
	TagOldEnhancesFlags            Tag = 1161
	TagLongFileSizes               Tag = 5008
	TagLongSize                    Tag = 5009
	TagFileCaps                    Tag = 5010
	TagFileDigestAlgo              Tag = 5011
	TagBugURL                      Tag = 5012
	TagPreInFlags                  Tag = 5020
	TagPostInFlags                 Tag = 5021
	TagPreUnFlags                  Tag = 5022
	TagPostUnFlags                 Tag = 5023
	TagPreTransFlags               Tag = 5024
	TagPostTransFlags              Tag = 5025
	TagVerifyScriptFlags           Tag = 5026
	TagTriggerScriptFlags          Tag = 5027
	TagVCS                         Tag = 5034
	TagOrderName                   Tag = 5035
	TagOrderVersion                Tag = 5036
	TagOrderFlags                  Tag = 5037
	TagRecommendName               Tag = 5046
	TagRecommendVersion            Tag = 5047
	TagRecommendFlags              Tag = 5048
	TagSuggestName                 Tag = 5049
	TagSuggestVersion              Tag = 5050
	TagSuggestFlags                Tag = 5051
	TagSupplementName              Tag = 5052
	TagSupplementVersion           Tag = 5053
	TagSupplementFlags             Tag = 5054
	TagEnhanceName                 Tag = 5055
	TagEnhanceVersion              Tag = 5056
	TagEnhanceFlags                Tag = 5057
	TagEncoding                    Tag = 5062
	TagFileTriggerScripts          Tag = 5066
	TagFileTriggerScriptProg       Tag = 5067
	TagFileTriggerScriptFlags      Tag = 5068
	TagFileTriggerName             Tag = 5069
	TagFileTriggerIndex            Tag = 5070
	TagFileTriggerVersion          Tag = 5071
	TagFileTriggerFlags            Tag = 5072
	TagTransFileTriggerScripts     Tag = 5076
	TagTransFileTriggerScriptProg  Tag = 5077
	TagTransFileTriggerScriptFlags Tag = 5078
	TagTransFileTriggerName        Tag = 5079
	TagTransFileTriggerIndex       Tag = 5080
	TagTransFileTriggerVersion     Tag = 5081
	TagTransFileTriggerFlags       Tag = 5082
	TagFileTriggerPriorities       Tag = 5084
	TagTransFileTriggerPriorities  Tag = 5085
	TagFileSignatures              Tag = 5090
	TagFileSignatureLength         Tag = 5091
	TagPayloadSHA256               Tag = 5092
	TagPayloadSHA256Algo           Tag = 5093
	TagModularityLabel             Tag = 5096
	TagPayloadSHA256Alt            Tag = 5097
	TagArchSuffix                  Tag = 5098
	TagSpec                        Tag = 5099
	TagTranslationURL              Tag = 5100
	TagUpstreamReleases            Tag = 5101
	TagPreUnTrans                  Tag = 5103
	TagPostUnTrans                 Tag = 5104
	TagPreUnTransProg              Tag = 5105
	TagPostUnTransProg             Tag = 5106
	TagPreUnTransFlags             Tag = 5107
	TagPostUnTransFlags            Tag = 5108
	TagPayloadSize                 Tag = 5112
	TagPayloadSizeAlt              Tag = 5113
	TagRPMFormat                   Tag = 5114
	TagFileMimeIndex               Tag = 5115
	TagMimeDict                    Tag = 5116
	TagPackageDigests              Tag = 5118
	TagPackageDigestAlgos          Tag = 5119
	TagSourceNEVR                  Tag = 5120
	TagPayloadSHA512               Tag = 5121
	TagPayloadSHA512Alt            Tag = 5122
	TagPayloadSHA3                 Tag = 5123
	TagPayloadSHA3Alt              Tag = 5124
)

// Tags of a signature header that are not known in a main header, or have
// another meaning there. TagDSAHeader, TagRSAHeader, TagSHA1Header,
// TagSHA256Header, TagSHA3Header, TagOpenPGP, TagLongSigSize,
// TagLongArchiveSize and the verity tags have the same number in both.
const (
	SigFileSignatures      Tag = 274  // hex, one string per file
	SigFileSignatureLength Tag = 275  // bytes of one binary file signature
	SigReserved            Tag = 999  // zeros that a later signature may use, version 6
	SigSize                Tag = 1000 // bytes of header and payload
	SigPGP                 Tag = 1002 // RSA signature of header and payload
	SigMD5                 Tag = 1004 // MD5 of header and payload
	SigGPG                 Tag = 1005 // DSA, ECDSA or EdDSA signature of header and payload
	SigPayloadSize         Tag = 1007 // bytes of the uncompressed payload
	SigReservedSpace       Tag = 1008 // zeros that a later signature may use, version 4
)

// tagInfo describes a tag of a main header.
type tagInfo struct {
	tag  Tag
	typ  Type
	name string
}

// tags is sorted by number.
var tags = [...]tagInfo{
	{TagHeaderImage, TypeBinary, "HEADERIMAGE"},
	{TagHeaderSignatures, TypeBinary, "HEADERSIGNATURES"},
	{TagHeaderImmutable, TypeBinary, "HEADERIMMUTABLE"},
	{TagHeaderI18NTable, TypeStringArray, "HEADERI18NTABLE"},
	{TagSigSize, TypeInt32, "SIGSIZE"},
	{TagSigPGP, TypeBinary, "SIGPGP"},
	{TagSigMD5, TypeBinary, "SIGMD5"},
	{TagSigGPG, TypeBinary, "SIGGPG"},
	{TagPubKeys, TypeStringArray, "PUBKEYS"},
	{TagDSAHeader, TypeBinary, "DSAHEADER"},
	{TagRSAHeader, TypeBinary, "RSAHEADER"},
	{TagSHA1Header, TypeString, "SHA1HEADER"},
	{TagLongSigSize, TypeInt64, "LONGSIGSIZE"},
	{TagLongArchiveSize, TypeInt64, "LONGARCHIVESIZE"},
	{TagSHA256Header, TypeString, "SHA256HEADER"},
	{TagVeritySignatures, TypeStringArray, "VERITYSIGNATURES"},
	{TagVeritySignatureAlgo, TypeInt32, "VERITYSIGNATUREALGO"},
	{TagOpenPGP, TypeStringArray, "OPENPGP"},
	{TagSHA3Header, TypeString, "SHA3_256HEADER"},
	{TagName, TypeString, "NAME"},
	{TagVersion, TypeString, "VERSION"},
	{TagRelease, TypeString, "RELEASE"},
	{TagEpoch, TypeInt32, "EPOCH"},
	{TagSummary, TypeI18NString, "SUMMARY"},
	{TagDescription, TypeI18NString, "DESCRIPTION"},
	{TagBuildTime, TypeInt32, "BUILDTIME"},
	{TagBuildHost, TypeString, "BUILDHOST"},
	{TagInstallTime, TypeInt32, "INSTALLTIME"},
	{TagSize, TypeInt32, "SIZE"},
	{TagDistribution, TypeString, "DISTRIBUTION"},
	{TagVendor, TypeString, "VENDOR"},
	{TagGIF, TypeBinary, "GIF"},
	{TagXPM, TypeBinary, "XPM"},
	{TagLicense, TypeString, "LICENSE"},
	{TagPackager, TypeString, "PACKAGER"},
	{TagGroup, TypeI18NString, "GROUP"},
	{TagSource, TypeStringArray, "SOURCE"},
	{TagPatch, TypeStringArray, "PATCH"},
	{TagURL, TypeString, "URL"},
	{TagOS, TypeString, "OS"},
	{TagArch, TypeString, "ARCH"},
	{TagPreIn, TypeString, "PREIN"},
	{TagPostIn, TypeString, "POSTIN"},
	{TagPreUn, TypeString, "PREUN"},
	{TagPostUn, TypeString, "POSTUN"},
	{TagOldFileNames, TypeStringArray, "OLDFILENAMES"},
	{TagFileSizes, TypeInt32, "FILESIZES"},
	{TagFileStates, TypeChar, "FILESTATES"},
	{TagFileModes, TypeInt16, "FILEMODES"},
	{TagFileRdevs, TypeInt16, "FILERDEVS"},
	{TagFileMtimes, TypeInt32, "FILEMTIMES"},
	{TagFileDigests, TypeStringArray, "FILEDIGESTS"},
	{TagFileLinkTos, TypeStringArray, "FILELINKTOS"},
	{TagFileFlags, TypeInt32, "FILEFLAGS"},
	{TagFileUserName, TypeStringArray, "FILEUSERNAME"},
	{TagFileGroupName, TypeStringArray, "FILEGROUPNAME"},
	{TagIcon, TypeBinary, "ICON"},
	{TagSourceRPM, TypeString, "SOURCERPM"},
	{TagFileVerifyFlags, TypeInt32, "FILEVERIFYFLAGS"},
	{TagArchiveSize, TypeInt32, "ARCHIVESIZE"},
	{TagProvideName, TypeStringArray, "PROVIDENAME"},
	{TagRequireFlags, TypeInt32, "REQUIREFLAGS"},
	{TagRequireName, TypeStringArray, "REQUIRENAME"},
	{TagRequireVersion, TypeStringArray, "REQUIREVERSION"},
	{TagNoSource, TypeInt32, "NOSOURCE"},
	{TagNoPatch, TypeInt32, "NOPATCH"},
	{TagConflictFlags, TypeInt32, "CONFLICTFLAGS"},
	{TagConflictName, TypeStringArray, "CONFLICTNAME"},
	{TagConflictVersion, TypeStringArray, "CONFLICTVERSION"},
	{TagExcludeArch, TypeStringArray, "EXCLUDEARCH"},
	{TagExcludeOS, TypeStringArray, "EXCLUDEOS"},
	{TagExclusiveArch, TypeStringArray, "EXCLUSIVEARCH"},
	{TagExclusiveOS, TypeStringArray, "EXCLUSIVEOS"},
	{TagRPMVersion, TypeString, "RPMVERSION"},
	{TagTriggerScripts, TypeStringArray, "TRIGGERSCRIPTS"},
	{TagTriggerName, TypeStringArray, "TRIGGERNAME"},
	{TagTriggerVersion, TypeStringArray, "TRIGGERVERSION"},
	{TagTriggerFlags, TypeInt32, "TRIGGERFLAGS"},
	{TagTriggerIndex, TypeInt32, "TRIGGERINDEX"},
	{TagVerifyScript, TypeString, "VERIFYSCRIPT"},
	{TagChangelogTime, TypeInt32, "CHANGELOGTIME"},
	{TagChangelogName, TypeStringArray, "CHANGELOGNAME"},
	{TagChangelogText, TypeStringArray, "CHANGELOGTEXT"},
	{TagPreInProg, TypeStringArray, "PREINPROG"},
	{TagPostInProg, TypeStringArray, "POSTINPROG"},
	{TagPreUnProg, TypeStringArray, "PREUNPROG"},
	{TagPostUnProg, TypeStringArray, "POSTUNPROG"},
	{TagBuildArchs, TypeStringArray, "BUILDARCHS"},
	{TagObsoleteName, TypeStringArray, "OBSOLETENAME"},
	{TagVerifyScriptProg, TypeStringArray, "VERIFYSCRIPTPROG"},
	{TagTriggerScriptProg, TypeStringArray, "TRIGGERSCRIPTPROG"},
	{TagCookie, TypeString, "COOKIE"},
	{TagFileDevices, TypeInt32, "FILEDEVICES"},
	{TagFileInodes, TypeInt32, "FILEINODES"},
	{TagFileLangs, TypeStringArray, "FILELANGS"},
	{TagPrefixes, TypeStringArray, "PREFIXES"},
	{TagInstPrefixes, TypeStringArray, "INSTPREFIXES"},
	{TagSourcePackage, TypeInt32, "SOURCEPACKAGE"},
	{TagProvideFlags, TypeInt32, "PROVIDEFLAGS"},
	{TagProvideVersion, TypeStringArray, "PROVIDEVERSION"},
	{TagObsoleteFlags, TypeInt32, "OBSOLETEFLAGS"},
	{TagObsoleteVersion, TypeStringArray, "OBSOLETEVERSION"},
	{TagDirIndexes, TypeInt32, "DIRINDEXES"},
	{TagBaseNames, TypeStringArray, "BASENAMES"},
	{TagDirNames, TypeStringArray, "DIRNAMES"},
	{TagOrigDirIndexes, TypeInt32, "ORIGDIRINDEXES"},
	{TagOrigBaseNames, TypeStringArray, "ORIGBASENAMES"},
	{TagOrigDirNames, TypeStringArray, "ORIGDIRNAMES"},
	{TagOptFlags, TypeString, "OPTFLAGS"},
	{TagDistURL, TypeString, "DISTURL"},
	{TagPayloadFormat, TypeString, "PAYLOADFORMAT"},
	{TagPayloadCompressor, TypeString, "PAYLOADCOMPRESSOR"},
	{TagPayloadFlags, TypeString, "PAYLOADFLAGS"},
	{TagInstallColor, TypeInt32, "INSTALLCOLOR"},
	{TagInstallTID, TypeInt32, "INSTALLTID"},
	{TagRHNPlatform, TypeString, "RHNPLATFORM"},
	{TagPlatform, TypeString, "PLATFORM"},
	{TagFileColors, TypeInt32, "FILECOLORS"},
	{TagFileClass, TypeInt32, "FILECLASS"},
	{TagClassDict, TypeStringArray, "CLASSDICT"},
	{TagFileDependsX, TypeInt32, "FILEDEPENDSX"},
	{TagFileDependsN, TypeInt32, "FILEDEPENDSN"},
	{TagDependsDict, TypeInt32, "DEPENDSDICT"},
	{TagSourcePkgID, TypeBinary, "SOURCEPKGID"},
	{TagPreTrans, TypeString, "PRETRANS"},
	{TagPostTrans, TypeString, "POSTTRANS"},
	{TagPreTransProg, TypeStringArray, "PRETRANSPROG"},
	{TagPostTransProg, TypeStringArray, "POSTTRANSPROG"},
	{TagDistTag, TypeString, "DISTTAG"},
	{TagOldSuggestsName, TypeStringArray, "OLDSUGGESTSNAME"},
	{TagOldSuggestsVersion, TypeStringArray, "OLDSUGGESTSVERSION"},
	{TagOldSuggestsFlags, TypeInt32, "OLDSUGGESTSFLAGS"},
	{TagOldEnhancesName, TypeStringArray, "OLDENHANCESNAME"},
	{TagOldEnhancesVersion, TypeStringArray, "OLDENHANCESVERSION"},
	{TagOldEnhancesFlags, TypeInt32, "OLDENHANCESFLAGS"},
	{TagLongFileSizes, TypeInt64, "LONGFILESIZES"},
	{TagLongSize, TypeInt64, "LONGSIZE"},
	{TagFileCaps, TypeStringArray, "FILECAPS"},
	{TagFileDigestAlgo, TypeInt32, "FILEDIGESTALGO"},
	{TagBugURL, TypeString, "BUGURL"},
	{TagPreInFlags, TypeInt32, "PREINFLAGS"},
	{TagPostInFlags, TypeInt32, "POSTINFLAGS"},
	{TagPreUnFlags, TypeInt32, "PREUNFLAGS"},
	{TagPostUnFlags, TypeInt32, "POSTUNFLAGS"},
	{TagPreTransFlags, TypeInt32, "PRETRANSFLAGS"},
	{TagPostTransFlags, TypeInt32, "POSTTRANSFLAGS"},
	{TagVerifyScriptFlags, TypeInt32, "VERIFYSCRIPTFLAGS"},
	{TagTriggerScriptFlags, TypeInt32, "TRIGGERSCRIPTFLAGS"},
	{TagVCS, TypeString, "VCS"},
	{TagOrderName, TypeStringArray, "ORDERNAME"},
	{TagOrderVersion, TypeStringArray, "ORDERVERSION"},
	{TagOrderFlags, TypeInt32, "ORDERFLAGS"},
	{TagRecommendName, TypeStringArray, "RECOMMENDNAME"},
	{TagRecommendVersion, TypeStringArray, "RECOMMENDVERSION"},
	{TagRecommendFlags, TypeInt32, "RECOMMENDFLAGS"},
	{TagSuggestName, TypeStringArray, "SUGGESTNAME"},
	{TagSuggestVersion, TypeStringArray, "SUGGESTVERSION"},
	{TagSuggestFlags, TypeInt32, "SUGGESTFLAGS"},
	{TagSupplementName, TypeStringArray, "SUPPLEMENTNAME"},
	{TagSupplementVersion, TypeStringArray, "SUPPLEMENTVERSION"},
	{TagSupplementFlags, TypeInt32, "SUPPLEMENTFLAGS"},
	{TagEnhanceName, TypeStringArray, "ENHANCENAME"},
	{TagEnhanceVersion, TypeStringArray, "ENHANCEVERSION"},
	{TagEnhanceFlags, TypeInt32, "ENHANCEFLAGS"},
	{TagEncoding, TypeString, "ENCODING"},
	{TagFileTriggerScripts, TypeStringArray, "FILETRIGGERSCRIPTS"},
	{TagFileTriggerScriptProg, TypeStringArray, "FILETRIGGERSCRIPTPROG"},
	{TagFileTriggerScriptFlags, TypeInt32, "FILETRIGGERSCRIPTFLAGS"},
	{TagFileTriggerName, TypeStringArray, "FILETRIGGERNAME"},
	{TagFileTriggerIndex, TypeInt32, "FILETRIGGERINDEX"},
	{TagFileTriggerVersion, TypeStringArray, "FILETRIGGERVERSION"},
	{TagFileTriggerFlags, TypeInt32, "FILETRIGGERFLAGS"},
	{TagTransFileTriggerScripts, TypeStringArray, "TRANSFILETRIGGERSCRIPTS"},
	{TagTransFileTriggerScriptProg, TypeStringArray, "TRANSFILETRIGGERSCRIPTPROG"},
	{TagTransFileTriggerScriptFlags, TypeInt32, "TRANSFILETRIGGERSCRIPTFLAGS"},
	{TagTransFileTriggerName, TypeStringArray, "TRANSFILETRIGGERNAME"},
	{TagTransFileTriggerIndex, TypeInt32, "TRANSFILETRIGGERINDEX"},
	{TagTransFileTriggerVersion, TypeStringArray, "TRANSFILETRIGGERVERSION"},
	{TagTransFileTriggerFlags, TypeInt32, "TRANSFILETRIGGERFLAGS"},
	{TagFileTriggerPriorities, TypeInt32, "FILETRIGGERPRIORITIES"},
	{TagTransFileTriggerPriorities, TypeInt32, "TRANSFILETRIGGERPRIORITIES"},
	{TagFileSignatures, TypeStringArray, "FILESIGNATURES"},
	{TagFileSignatureLength, TypeInt32, "FILESIGNATURELENGTH"},
	{TagPayloadSHA256, TypeStringArray, "PAYLOADSHA256"},
	{TagPayloadSHA256Algo, TypeInt32, "PAYLOADSHA256ALGO"},
	{TagModularityLabel, TypeString, "MODULARITYLABEL"},
	{TagPayloadSHA256Alt, TypeStringArray, "PAYLOADSHA256ALT"},
	{TagArchSuffix, TypeString, "ARCHSUFFIX"},
	{TagSpec, TypeString, "SPEC"},
	{TagTranslationURL, TypeString, "TRANSLATIONURL"},
	{TagUpstreamReleases, TypeString, "UPSTREAMRELEASES"},
	{TagPreUnTrans, TypeString, "PREUNTRANS"},
	{TagPostUnTrans, TypeString, "POSTUNTRANS"},
	{TagPreUnTransProg, TypeStringArray, "PREUNTRANSPROG"},
	{TagPostUnTransProg, TypeStringArray, "POSTUNTRANSPROG"},
	{TagPreUnTransFlags, TypeInt32, "PREUNTRANSFLAGS"},
	{TagPostUnTransFlags, TypeInt32, "POSTUNTRANSFLAGS"},
	{TagPayloadSize, TypeInt64, "PAYLOADSIZE"},
	{TagPayloadSizeAlt, TypeInt64, "PAYLOADSIZEALT"},
	{TagRPMFormat, TypeInt32, "RPMFORMAT"},
	{TagFileMimeIndex, TypeInt32, "FILEMIMEINDEX"},
	{TagMimeDict, TypeStringArray, "MIMEDICT"},
	{TagPackageDigests, TypeStringArray, "PACKAGEDIGESTS"},
	{TagPackageDigestAlgos, TypeInt32, "PACKAGEDIGESTALGOS"},
	{TagSourceNEVR, TypeString, "SOURCENEVR"},
	{TagPayloadSHA512, TypeString, "PAYLOADSHA512"},
	{TagPayloadSHA512Alt, TypeString, "PAYLOADSHA512ALT"},
	{TagPayloadSHA3, TypeString, "PAYLOADSHA3_256"},
	{TagPayloadSHA3Alt, TypeString, "PAYLOADSHA3_256ALT"},
}

func findTag(t Tag) (tagInfo, bool) {
	i, ok := slices.BinarySearchFunc(tags[:], t, func(e tagInfo, t Tag) int { return int(e.tag) - int(t) })
	if !ok {
		return tagInfo{}, false
	}
	return tags[i], true
}

// String returns rpm's name for t in capitals, or its number if it is unknown.
func (t Tag) String() string {
	if i, ok := findTag(t); ok {
		return i.name
	}
	return strconv.FormatUint(uint64(t), 10)
}

// ParseTag finds a tag by rpm's name for it, in any case, with or without the
// prefix RPMTAG_.
func ParseTag(name string) (Tag, bool) {
	name = strings.TrimPrefix(strings.ToUpper(name), "RPMTAG_")
	for _, i := range tags {
		if i.name == name {
			return i.tag, true
		}
	}
	return 0, false
}
