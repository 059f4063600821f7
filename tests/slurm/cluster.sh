#!/usr/bin/env bash
# A Slurm of its own on this host, for tests: munged, a controller and a few fake nodes, without systemd, cgroups or a shared spool.
#   cluster.sh start FOLDER [NODES]    starts it, waits until every node is idle; then: export SLURM_CONF=FOLDER/slurm.conf
#   cluster.sh stop FOLDER             cancels its jobs and ends exactly the daemons it started
# Needs munged, slurmctld and slurmd (Debian: slurm-wlm, munge). FOLDER should be short: sockets live in it.
set -euo pipefail

action=$1
folder=$(realpath -m "$2")
nodes=${3:-1}
port=${SLURM_BASE_PORT:-27800}
export SLURM_CONF=$folder/slurm.conf

write_configuration() {
  cat >"$SLURM_CONF" <<CONF
ClusterName=partita
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmctldLogFile=$folder/log/slurmctld.log
# %n keeps the fake nodes apart; PMIx also needs a TmpFS of its own on each.
SlurmdSpoolDir=$folder/spool/%n
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmdLogFile=$folder/log/slurmd.%n.log
TmpFS=$folder/tmp/%n
# Accept nodes that claim what the host does not have, and do without cgroups and accounting.
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
ReturnToService=2
KillOnBadExit=1
KillWait=10
NodeName=n[1-$nodes] NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + nodes))] CPUs=2 Sockets=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1000
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
  mkdir -p "$folder"/{state,log,run}
  chmod go+x "$folder"  # munged insists that everyone can reach its socket
  write_configuration
  (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
  munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/run/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed"
  slurmctld -c
  for ((i = 1; i <= nodes; i++)); do
    mkdir -p "$folder"/{spool,tmp}/n"$i"
    slurmd -N "n$i"
  done
  for _ in {1..200}; do
    [[ $(sinfo -h -N -t idle 2>/dev/null | wc -l) != "$nodes" ]] || return 0
    sleep 0.1
  done
  sinfo -N -l >&2
  return 1
}

stop() {
  timeout 5 scancel --user="$(id -un)" 2>/dev/null || true
  for _ in {1..100}; do
    [[ -n $(timeout 5 squeue -h 2>/dev/null) ]] || break
    sleep 0.1
  done
  for file in "$folder"/run/*.pid; do
    [[ ! -s $file ]] || kill "$(<"$file")" 2>/dev/null || true
  done
}

case $action in
  start) start ;;
  stop) stop ;;
  *) echo "cluster.sh: start or stop" >&2; exit 2 ;;
esac
