package sysroot

// commitVersion returns the version that the commit of a deployment has in its
// metadata, or "".
func (s *Sysroot) commitVersion(d Deployment) string {
	c, err := s.repo.Commit(d.Checksum)
	if err != nil {
		return ""
	}
	return c.Version()
}
