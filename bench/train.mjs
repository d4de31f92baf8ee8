// Training speed and memory beside Transformers' Trainer at its defaults, on the same rows, alternating in one run.
//   node bench/train.mjs [--rounds 3] [--steps 40]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { peerPython } from './peers/environment.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, steps: { type: 'string', default: '40' } } });
const rounds = Number(values.rounds);
const peerSteps = Number(values.steps);
const model = join(root, 'models', 'minilm-l6');
const train = join(root, 'examples', 'depression', 'train.csv');

/** The last JSON line of a program's standard output. */
function lastJson(command, args) {
	const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
	if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stderr}`);
	return JSON.parse(stdout.trim().split('\n').at(-1));
}

function ours() {
	const output = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
	try {
		// The same rows in the same order as the peer's, its three warm-up steps included: ours pays for them.
		return lastJson(process.execPath, [
			join(root, 'dist', 'cli', 'main.js'),
			'train',
			'--model',
			model,
			'--train',
			train,
			'--max-steps',
			String(peerSteps + 3),
			'--output-dir',
			output,
			'--json',
			'--quiet',
		]).timings;
	} finally {
		rmSync(output, { recursive: true, force: true });
	}
}

const python = peerPython();
const theirs = () => lastJson(python, [join(root, 'bench', 'peers', 'transformers_trainer.py'), model, train, String(peerSteps)]);

const results = { ours: [], theirs: [] };
for (let round = 1; round <= rounds; round++) {
	results.ours.push(ours());
	results.theirs.push(theirs());
	console.error(
		`round ${round}/${rounds}: ours ${results.ours.at(-1).stepsPerSecond.toFixed(2)}, theirs ${results.theirs.at(-1).stepsPerSecond.toFixed(2)} steps/s`,
	);
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const row = (name, runs) => ({
	name,
	stepsPerSecond: median(runs.map((run) => run.stepsPerSecond)),
	peakMB: median(runs.map((run) => run.peakRssBytes)) / 1e6,
});
const [mine, peer] = [row('distiltune', results.ours), row('Transformers Trainer, defaults', results.theirs)];
console.log(`minilm-l6, batch 8, seed 42, ${cpus()[0].model} x ${cpus().length}, Node ${process.version}, median of ${rounds}`);
console.log(`peer: torch ${results.theirs[0].versions.torch}, transformers ${results.theirs[0].versions.transformers}`);
console.log('| | steps/s | peak MB |\n|---|---|---|');
for (const each of [mine, peer]) console.log(`| ${each.name} | ${each.stepsPerSecond.toFixed(2)} | ${each.peakMB.toFixed(0)} |`);
console.log(`ratio ${(mine.stepsPerSecond / peer.stepsPerSecond).toFixed(2)}`);
