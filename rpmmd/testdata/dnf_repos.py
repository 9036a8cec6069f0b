# Prints what dnf makes of the .repo files in a directory.
import json
import sys

import dnf

KEYS = """name baseurl metalink mirrorlist enabled gpgcheck repo_gpgcheck gpgkey skip_if_unavailable
module_hotfixes countme priority cost excludepkgs includepkgs metadata_expire username password timeout
minrate ip_resolve proxy sslverify sslcacert""".split()

base = dnf.Base()
base.conf.reposdir = [sys.argv[1]]
base.conf.substitutions.update(releasever="39.1", basearch="x86_64", arch="x86_64")
base.read_all_repos()
out = {}
for repo in base.repos.all():
    values = {k: getattr(repo, k) for k in KEYS}
    for k in ("baseurl", "gpgkey", "excludepkgs", "includepkgs"):
        values[k] = list(values[k])
    out[repo.id] = values
print(json.dumps(out))
