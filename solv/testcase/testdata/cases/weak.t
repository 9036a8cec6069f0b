# Weak dependencies of new packages install; excluded and conflicting ones do not.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: old 1 1 noarch
#>=Rec: ignored
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: app 1 1 noarch
#>=Rec: good
#>=Rec: bad
#>=Rec: rich <IF> lang
#>=Sug: hint
#>=Pkg: good 1 1 noarch
#>=Pkg: bad 1 1 noarch
#>=Con: old
#>=Pkg: ignored 1 1 noarch
#>=Pkg: rich 1 1 noarch
#>=Pkg: lang 1 1 noarch
#>=Pkg: trans 1 1 noarch
#>=Sup: app & lang
#>=Pkg: hint 1 1 noarch
system x86_64 rpm system
job install name app
result transaction,problems,recommended,reason <inline>
#>install app-1-1.noarch@avail
#>install good-1-1.noarch@avail
#>reason app-1-1.noarch@avail unit e4ba6589bd7c331febf27a5657dcbd68
#>reason bad-1-1.noarch@avail unit c765073855a450b89a38414584af5950
#>reason good-1-1.noarch@avail recommended good app-1-1.noarch@avail
#>reason old-1-1.noarch@system unit 7d51dc9e592f989661b6ad182550a517
#>recommended good-1-1.noarch@avail
#>recommended ignored-1-1.noarch@avail
#>suggested hint-1-1.noarch@avail
nextjob
job install name app
job install name lang
job excludefromweak name good
result transaction,problems,recommended <inline>
#>install app-1-1.noarch@avail
#>install lang-1-1.noarch@avail
#>install rich-1-1.noarch@avail
#>install trans-1-1.noarch@avail
#>recommended good-1-1.noarch@avail
#>recommended ignored-1-1.noarch@avail
#>recommended rich-1-1.noarch@avail
#>recommended trans-1-1.noarch@avail
#>suggested hint-1-1.noarch@avail
