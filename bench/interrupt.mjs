// What a signal and a kill cost at full size: how long a run of DistilBERT's own sizes (0.8 GB a checkpoint) takes to save and end after
// SIGTERM, and whether one that is killed with kill -9 within its saves, again and again, ends in the bytes of an unbroken one.
//   npm run bench -- interrupt [--signals 10] [--kills 20]
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { listCheckpoints } from '../dist/train/checkpoint.js';
import { openCheckpoint } from '../dist/train/find-checkpoint.js';
import { modelFolder } from './models.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { signals: { type: 'string', default: '10' }, kills: { type: 'string', default: '20' } } });
const [signals, kills] = [Number(values.signals), Number(values.kills)];
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
const model = await modelFolder('distilbert-base');

/** Trains with a save after every step; `disturb` is told of each event and may end the child. */
function train(outputDir, maxSteps, disturb = () => {}) {
	const words = ['train', '--model', model, '--train', join(root, 'examples', 'depression', 'train.csv'), '--output-dir', outputDir];
	const flags = ['--max-steps', String(maxSteps), '--save-strategy', 'steps', '--save-steps', '1', '--truncation', 'silent', '--resume', '--json'];
	const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...words, ...flags], { stdio: ['ignore', 'pipe', 'ignore'] });
	let line = '';
	child.stdout.on('data', (piece) => {
		const lines = (line + piece).split('\n');
		line = lines.pop();
		for (const each of lines) disturb(JSON.parse(each), child);
	});
	return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
}

/** Every checkpoint there is must open, sums and all; gives the step of the newest. */
async function newestWhole(outputDir) {
	const { readable, unreadable } = await listCheckpoints(outputDir);
	if (unreadable.length > 0) throw new Error(`Not whole: ${unreadable.map((each) => JSON.stringify(each)).join(', ')}`);
	for (const checkpoint of readable) await openCheckpoint(checkpoint.folder);
	return Math.max(0, ...readable.map(({ manifest }) => manifest.step));
}

async function timeSignals() {
	const seconds = [];
	for (let round = 0; round < signals; round++) {
		const outputDir = join(folder, 'stopped');
		let sent;
		// Some moment of a step or of a save: a round of both takes some seconds.
		const { code } = await train(outputDir, 100, ({ type }, child) => {
			if (type !== 'step' || sent !== undefined) return;
			sent = 0;
			wait((round / signals) * 4000).then(() => {
				sent = performance.now();
				child.kill('SIGTERM');
			});
		});
		seconds.push((performance.now() - sent) / 1000);
		if (code !== 143) throw new Error(`Expected exit code 143, got ${code}`);
		if ((await newestWhole(outputDir)) < 1) throw new Error('No checkpoint was left');
		rmSync(outputDir, { recursive: true, force: true });
	}
	seconds.sort((a, b) => a - b);
	console.log(`SIGTERM to exit, ${signals} times: median ${seconds[Math.floor(signals / 2)].toFixed(1)} s, most ${seconds.at(-1).toFixed(1)} s`);
}

async function killSaves() {
	const steps = kills + 2;
	const unbroken = join(folder, 'unbroken');
	await train(unbroken, steps);
	const outputDir = join(folder, 'killed');
	let within = 0;
	for (let round = 0; round < kills; round++) {
		let saved = 0;
		await train(outputDir, steps, async (event, child) => {
			if (event.type === 'save') saved = event.step;
			if (event.type !== 'step') return;
			// Some moment of the half second that writing takes, later where the disk is slow.
			const begun = () => existsSync(outputDir) && readdirSync(outputDir).some((name) => name.startsWith(`checkpoint-${event.step}.tmp-`));
			while (!begun() && saved < event.step && child.exitCode === null) await wait(1);
			await wait((round / kills) * 600);
			if (begun()) within += 1;
			child.kill('SIGKILL');
		});
		const newest = await newestWhole(outputDir);
		if (newest < saved) throw new Error(`Step ${saved} was saved, but the newest whole checkpoint is of step ${newest}`);
	}
	await train(outputDir, steps);
	const sum = (run) =>
		createHash('sha256')
			.update(readFileSync(join(run, 'model.safetensors')))
			.digest('hex');
	if (sum(unbroken) !== sum(outputDir)) throw new Error('The run that was killed ended in other bytes');
	console.log(`kill -9, ${kills} times, ${within} of them while a checkpoint was being written: every checkpoint whole, the same bytes in the end`);
}

try {
	const bytes = statSync(join(model, 'model.safetensors')).size;
	const machine = `${cpus()[0].model.trim()} x ${cpus().length}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`;
	console.log(`distilbert-base sizes (${(bytes / 1e6).toFixed(0)} MB of weights, three times that a checkpoint), batch 8; ${machine}`);
	await timeSignals();
	await killSaves();
} finally {
	rmSync(folder, { recursive: true, force: true });
}
