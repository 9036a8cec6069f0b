# What the system provides needs no package.
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: A 1 1 noarch
#>=Req: rpmlib(CompressedFileNames) <= 3.0.4
#>=Pkg: B 1 1 noarch
#>=Req: namespace:language(de)
#>=Pkg: C 1 1 noarch
#>=Req: namespace:language(fr)
#>=Pkg: D 1 1 noarch
#>=Sup: namespace:language(de)
#>=Pkg: E 1 1 noarch
#>=Sup: namespace:language(fr)
system x86_64 rpm
namespace namespace:language(de) @SYSTEM
job install name A
result transaction,problems <inline>
#>install A-1-1.noarch@avail
nextjob
namespace namespace:language(de) @SYSTEM
job install name B
result transaction,problems <inline>
#>install B-1-1.noarch@avail
nextjob
namespace namespace:language(de) @SYSTEM
job install name C
result transaction,problems <inline>
#>problem 4239093c info nothing provides namespace:language(fr) needed by C-1-1.noarch
#>problem 4239093c solution 8635dbf5 deljob install name C
