// Package tree makes an operating system tree a value.
//
// A [Tree] is an immutable directory tree whose files are names of objects in a
// repository. A directory is either an object too, which is not loaded until
// something below it is asked for, or new. Overlay, Remove, Rename and the rest return
// new trees and touch only the directories they name: an untouched subtree keeps its
// checksum, is never read, never hashed and never written.
//
// Many changes in a row are made with a [Builder], which copies each directory at
// most once. Paths are separated by slashes and start at the root, with or
// without a leading slash. Symbolic links are leaves: they are not followed.
package tree
