#!/bin/bash
# One dataset on four machines, by Ray:  sbatch slurm-ray.sh
#SBATCH --job-name=kitchen
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
# The first machine leads. The signal goes to this script, which has become batchgen by then.
set -euo pipefail
export WAVESPEED_API_KEY_FILE="$HOME/.wavespeed-key"    # of mode 0600, on all of them
export RAY_USAGE_STATS_ENABLED=0
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
start() { srun --nodes="$1" --ntasks="$1" "${@:2}" --object-store-memory=100000000 --block & }
start 1 --nodelist="$head" ray start --head --port=6379 --num-cpus=1
for _ in $(seq 60); do
  ray health-check --address="$head:6379" && break
  sleep 2
done
start $((SLURM_NNODES - 1)) --exclude="$head" ray start --address="$head:6379" --num-cpus=1
exec batchgen run kitchen.yaml --on "ray://$head:6379" --quiet
