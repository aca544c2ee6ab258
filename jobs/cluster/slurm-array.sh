#!/bin/bash
# Eight shards of a dataset, each a task of an array:  sbatch slurm-array.sh
#SBATCH --job-name=kitchen
#SBATCH --array=0-7
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60
# A run that is told to end needs up to 20 s, so a minute is enough; requeued, it goes on.
set -euo pipefail
export WAVESPEED_API_KEY_FILE="$HOME/.wavespeed-key"    # of mode 0600
srun batchgen run kitchen.yaml --shard auto --quiet
