#!/usr/bin/env bash
# Installs what is missing, builds, tests and runs Partita.
#
#   ./bootstrap.sh run DECK [ARGUMENTS...]   run a deck on all cores (in a Slurm job: on its tasks), then plot the result
#   ./bootstrap.sh test                      build everything and run every test
#   ./bootstrap.sh build                     build the program, its tests and its benchmarks
#   ./bootstrap.sh post                      install only partita-post, in .venv
#
# PARTITA_RANKS         MPI ranks of `run` (default: one per core)
# PARTITA_CMAKE_ARGS    more arguments for the first configuration
# PARTITA_TEST_LABELS   a ctest label expression for `test` (default: every label but slow and slurm)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$root/build/src/partita
post=$root/.venv/bin/partita-post

packages=(g++ cmake ninja-build pkg-config git python3-venv hdf5-tools
  libtrilinos-kokkos-dev libdnnl-dev libopenblas-dev libopenmpi-dev openmpi-bin libhdf5-openmpi-dev zlib1g-dev
  libtomlplusplus-dev nlohmann-json3-dev libcli11-dev librandom123-dev libfmt-dev libeigen3-dev libgtest-dev libgmock-dev libbenchmark-dev dataset-fashion-mnist)
spack_specs="cmake ninja pkgconf kokkos onednn openblas openmpi hdf5+mpi+hl zlib-api tomlplusplus nlohmann-json cli11 random123 fmt eigen googletest benchmark python"

main() {
  case ${1:-} in
    run)
      (($# >= 2)) || fail 2 "run needs a deck: ./bootstrap.sh run DECK"
      [[ -f $2 ]] || fail 2 "$2 is no deck file; those that come with Partita are in $root/inputs"
      install_packages
      run "${@:2}"
      ;;
    test) install_packages; run_tests ;;
    build) install_packages; build release ;;
    post) install_packages; make_environment ;;
    *) usage; exit 2 ;;
  esac
}

say() { printf 'bootstrap: %s\n' "$*" >&2; }
fail() { say "$2"; exit "$1"; }
usage() { sed -n '2,${/^#/!q; s/^# \{0,1\}//; p;}' "${BASH_SOURCE[0]}" >&2; }

# --- what is needed ---------------------------------------------------------------------------------------------------------------------

# Installs Debian packages where apt can. Elsewhere the tools may come from modules or Spack, which only the configuration can find out.
install_packages() {
  command -v apt-get >/dev/null || return 0
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  if ((EUID)); then
    sudo -n true 2>/dev/null || return 0
    as_root=(sudo -n)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq >&2 || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    say "apt could not install them; continuing with what is installed"
}

missing_packages() {
  comm -23 <(printf '%s\n' "${packages[@]}" | sort) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null | sed -n 's/^installed //p' | sort)
}

advise() {
  cat >&2 <<TEXT
bootstrap: something that Partita needs is missing here (see above) and could not be installed.
  Debian or Ubuntu, by an administrator:
    apt-get install ${packages[*]}
  A cluster with modules: load a C++20 compiler, CMake 3.22 or later, MPI, parallel HDF5, Kokkos and oneDNN, then call this again.
  A cluster with Spack:
    spack install $spack_specs
    spack load $spack_specs
  Kokkos can also be downloaded during the configuration: PARTITA_CMAKE_ARGS=-DPARTITA_FETCH_KOKKOS=ON
TEXT
  exit 2
}

# --- build ------------------------------------------------------------------------------------------------------------------------------

# build PRESET [TARGET]
build() {
  local folder
  folder=$(build_folder "$1")
  [[ -f $folder/build.ninja || -f $folder/Makefile ]] || configure "$1"
  cmake --build "$folder" --parallel "$(nproc)" ${2:+--target "$2"} >&2
}

build_folder() { if [[ $1 == release ]]; then echo "$root/build"; else echo "$root/build-$1"; fi; }

# Done once: afterwards the build itself notices a changed CMake file. The cache of a failed configuration is removed: it would make the
# configuration fail even after the missing package has been installed.
configure() {
  local generator=() arguments=() folder
  folder=$(build_folder "$1")
  rm -rf "$folder/CMakeCache.txt" "$folder/CMakeFiles"
  command -v cmake >/dev/null || { say "no cmake"; advise; }
  command -v ninja >/dev/null || generator=(-G "Unix Makefiles")
  read -ra arguments <<<"${PARTITA_CMAKE_ARGS:-}"
  (cd "$root" && cmake --preset "$1" "${generator[@]}" "${arguments[@]}") >&2 || advise
}

# make_environment [EXTRA]: installs partita-post in .venv, again when its requirements have changed.
make_environment() {
  local stamp=$root/.venv/installed${1:+-$1} wanted
  wanted=$(cksum <"$root/postprocess/pyproject.toml")
  [[ ! -x $post || ! -f $stamp || $(<"$stamp") != "$wanted" ]] || return 0
  python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' || fail 2 "partita-post needs Python 3.11 or later with its venv module"
  say "installing partita-post in .venv"
  { python3 -m venv "$root/.venv" && "$root/.venv/bin/pip" install --quiet --editable "$root/postprocess${1:+[$1]}"; } ||
    fail 2 "partita-post could not be installed (pip needs a package index)"
  echo "$wanted" >"$stamp"
}

# --- run --------------------------------------------------------------------------------------------------------------------------------

run() {
  local deck=$1 overrides=() restart=(--restart auto) launch=() output started code=0
  shift
  choose_options "$@"
  choose_launcher
  build release partita
  output=$("$program" info --output "$deck" "${overrides[@]}")
  started=$(mktemp)
  interruptible "${launch[@]}" "$program" run "$deck" "${restart[@]}" "$@" || code=$?
  code=$(recorded_code "$code" "$output/run.status.json" "$started")
  rm -f "$started"
  draw "$code" "$output"
  report "$code" "$output"
  exit "$code"
}

# Finds the program's arguments that change the output directory, and whether they say what to do with an earlier run.
choose_options() {
  while (($#)); do
    case $1 in
      --set) overrides+=("$1" "${2-}") ;;
      --set=*) overrides+=("$1") ;;
      --restart | --restart=* | --overwrite) restart=() ;;
    esac
    shift
  done
}

choose_launcher() {
  if [[ -n ${SLURM_JOB_ID:-} ]]; then
    launch=(srun --mpi=pmix)
    return
  fi
  local cores ranks
  cores=$(count_cores)
  ranks=${PARTITA_RANKS:-$cores}
  launch=(mpirun -n "$ranks")
  if ((ranks > cores)); then launch+=(--oversubscribe --bind-to none); else launch+=(--bind-to core); fi
  export OMPI_MCA_orte_execute_quiet=1  # its own messages on nonzero exit codes would bury the program's
  if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
}

# Cores, not hardware threads, and only those that this process may use.
count_cores() {
  local allowed physical
  allowed=$(nproc)
  physical=$(lscpu -p=CORE,SOCKET 2>/dev/null | grep -v '^#' | sort -u | wc -l)
  if ((physical > 0 && physical < allowed)); then echo "$physical"; else echo "$allowed"; fi
}

# Runs the launcher in its own session, so that Ctrl-C, a closed terminal and a batch system's signals reach the ranks only as USR1, which
# lets them write a checkpoint: mpirun would kill them a second after INT or TERM. A second signal makes them stop at once.
interruptible() {
  setsid "$@" </dev/null &
  local child=$!
  trap 'kill -USR1 "$child" 2>/dev/null || true' INT TERM HUP USR1
  while kill -0 "$child" 2>/dev/null; do wait "$child" || true; done
  trap - INT TERM HUP USR1
  wait "$child"
}

# Launchers garble exit codes: the code that the program itself has recorded since the start is used.
recorded_code() {
  local code=$1 status=$2 started=$3 recorded=
  if ((code != 0)) && [[ $status -nt $started ]]; then
    recorded=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["exit_code"] or "")' "$status" 2>/dev/null) || recorded=
  fi
  echo "${recorded:-$code}"
}

# A failure to plot does not make a run fail.
draw() {
  if (($1 != 0 && $1 != 85)); then return; fi
  (make_environment && "$post" plot "$2" >/dev/null) || say "no plots; to draw them later: ./bootstrap.sh post && .venv/bin/partita-post plot '$2'"
}

report() {
  case $1 in
    0) say "done. Results: $2 (summary.json, run.log$(compgen -G "$2/plots/*" >/dev/null && echo "; plots in $2/plots"))" ;;
    85) say "stopped early with a valid checkpoint (exit code 85): the same command continues from there. So far: $2" ;;
    129 | 13? | 14? | 15?) say "killed by signal $(($1 - 128)); the same command continues from the last checkpoint in $2" ;;
    *) say "failed with exit code $1; the reason is above, in $2/run.log and $2/run.status.json" ;;
  esac
}

# --- test -------------------------------------------------------------------------------------------------------------------------------

run_tests() {
  local failed=() taken=() labels=(-LE '^(slow|slurm)$') jobs=$((3 * $(nproc)))  # see tests/CMakeLists.txt
  [[ -z ${PARTITA_TEST_LABELS:-} ]] || labels=(-L "$PARTITA_TEST_LABELS")
  export OPENBLAS_NUM_THREADS=1
  stage "build, single precision" build release
  stage "build, double precision on an emulated device" build device-emulation
  stage "install partita-post" make_environment test
  stage "tests of partita-post" suite python "$root/.venv/bin/pytest" -q -c "$root/postprocess/pyproject.toml" "$root/tests/postprocess"
  stage "tests, double precision on an emulated device" suite device-emulation \
    ctest --test-dir "$(build_folder device-emulation)" --output-on-failure -j "$jobs" -L '^(unit|emulation)$'
  stage "tests, single precision" suite release ctest --test-dir "$(build_folder release)" --output-on-failure -j "$jobs" "${labels[@]}"
  summarize
}

# stage NAME COMMAND...: notes how long it took.
stage() {
  local begin=$SECONDS
  "${@:2}"
  taken+=("$(printf '%5d s  %s' $((SECONDS - begin)) "$1")")
}

# suite NAME COMMAND...: its output also goes to build/test-NAME.log; a failure lets the other suites run.
suite() {
  "${@:2}" 2>&1 | tee "$root/build/test-$1.log" || failed+=("$1")
}

summarize() {
  local name
  for name in python device-emulation release; do
    printf '\n%s\n' "$name:"
    grep -E '^[0-9]+% tests passed|^Total Test time|^The following tests FAILED|^[[:space:]]+[0-9]+ - |[0-9]+ (passed|failed|skipped).* in ' "$root/build/test-$name.log" || true
  done
  printf '\n%s\n' "${taken[@]}"
  ((${#failed[@]} == 0)) || fail 1 "failed: ${failed[*]}"
}

main "$@"
