# Packages by patterns.
repo system 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: bash 1 1 x86_64
#>=Fls: /usr/bin/bash
repo avail 0 testtags <inline>
#>=Ver: 3.0 addselfprovides
#>=Pkg: bash 2 1 x86_64
#>=Fls: /usr/bin/bash
#>=Fls: /usr/bin/bashbug
#>=Pkg: bash 2 1 i686
#>=Pkg: bash 1:0 1 x86_64
#>=Pkg: Zsh 1 1 noarch
#>=Prv: shell
#>=Pkg: dash 1 1 noarch
#>=Prv: shell = 1
#>=Pkg: src 1 1 src
system x86_64 rpm system
job noop selection bash name
result jobs <inline>
#>job noop name bash
nextjob
job noop selection ba* name,glob
result jobs <inline>
#>job noop name bash
nextjob
job noop selection zsh name,nocase
result jobs <inline>
#>job noop name Zsh
nextjob
job noop selection bash.i686 name,dotarch
result jobs <inline>
#>job noop name bash . i686 [setarch]
nextjob
job noop selection bash-2-1.x86_64 canon
result jobs <inline>
#>job noop name (bash . x86_64) = 2-1 [setevr,setarch]
nextjob
job noop selection bash-1:0-1.x86_64 canon
result jobs <inline>
#>job noop name (bash . x86_64) = 1:0-1 [setevr,setarch]
nextjob
job noop selection bash=2-1 name,rel
result jobs <inline>
#>job noop name bash = 2-1 [setevr]
nextjob
job noop selection bash.x86_64>1 name,rel,dotarch
result jobs <inline>
#>job noop name (bash . x86_64) > 1 [setarch]
nextjob
job noop selection shell provides
result jobs <inline>
#>job noop provides shell
nextjob
job noop selection shell=1 provides,rel
result jobs <inline>
#>job noop provides shell = 1
nextjob
job noop selection /usr/bin/bash* filelist,glob
result jobs <inline>
#>job noop oneof bash-1-1.x86_64@system bash-2-1.x86_64@avail
#>job noop pkg bash-2-1.x86_64@avail [noautoset]
nextjob
job noop selection /usr/bin/bash filelist,flat
result jobs <inline>
#>job noop oneof bash-1-1.x86_64@system bash-2-1.x86_64@avail
nextjob
job noop selection bash name,installedonly
result jobs <inline>
#>job noop pkg bash-1-1.x86_64@system [setrepo,noautoset]
nextjob
job noop selection src name,sourceonly
result jobs <inline>
#>job noop name src . src
nextjob
job noop selection src name
result jobs <inline>
nextjob
job noop selection [bd]ash name,glob,flat
result jobs <inline>
#>job noop oneof bash-1-1.x86_64@system bash-2-1.x86_64@avail bash-2-1.i686@avail bash-1:0-1.x86_64@avail dash-1-1.noarch@avail
nextjob
job noop selection * name,glob
job noop selection bash name,subtract
result jobs <inline>
#>job noop name Zsh
#>job noop name dash
nextjob
job noop selection bash name
job noop selection dash name,add
result jobs <inline>
#>job noop name bash
#>job noop name dash
nextjob
job noop selection * name,glob
job noop selection bash.i686 name,dotarch,filter
result jobs <inline>
#>job noop pkg bash-2-1.i686@avail [setarch,noautoset]
nextjob
job noop selection_matchdeps solvable:provides sh* glob
result jobs <inline>
#>job noop pkg Zsh-1-1.noarch@avail [noautoset]
#>job noop pkg dash-1-1.noarch@avail [noautoset]
nextjob
job noop selection_matchdeps solvable:provides shell=1 rel
result jobs <inline>
#>job noop pkg Zsh-1-1.noarch@avail [noautoset]
#>job noop pkg dash-1-1.noarch@avail [noautoset]
