// Saves checkpoints under the shim. The argument is { out, step, cases }: without cases, one save is recorded; with them, each
// { at, error, sticky } is one save into a folder of its own with that fault, and a line of JSON about what became of it.
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rotateCheckpoints, saveCheckpoint } from '../../dist/train/checkpoint.js';
import { findCheckpoint } from '../../dist/train/find-checkpoint.js';
import { fail, heal, record } from './control.mjs';

const task = JSON.parse(process.argv[2]);

const names = ['config.json', 'vocab.txt', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'trainer_state.json'];
const bytes = 100_000;

async function write(folder, step) {
	for (const name of ['model.safetensors', 'optimizer.safetensors']) {
		const file = await open(join(folder, name), 'w');
		for (const part of [1, 2, 3, 4]) await file.writeFile(Buffer.alloc(5_000, step + part));
		await file.close();
	}
	for (const name of names) await writeFile(join(folder, name), `${name} of step ${step}`);
	await writeFile(join(folder, 'run_state.json'), JSON.stringify({ step }));
}

const facts = (step) => ({ step, epoch: step / 10, globalSamples: step * 8, world: 1 });

async function save(out, step) {
	await saveCheckpoint(out, facts(step), bytes, (folder) => write(folder, step));
	return rotateCheckpoints(out, 1, undefined);
}

if (task.cases === undefined) {
	record(true);
	await save(task.out, task.step);
	record(false);
} else {
	const tell = (line) => console.log(JSON.stringify(line));
	for (const [index, { at, error, sticky }] of task.cases.entries()) {
		const out = join(task.out, `${index}`);
		await save(out, 1);
		fail(at, error, sticky);
		const outcome = await save(out, 2).then(
			(failures) => ({ failures }),
			({ name, code, message, hint, details }) => ({ error: { name, code, message, hint, details } }),
		);
		const calls = heal();
		const found = await findCheckpoint(out);
		tell({ out, ...outcome, calls, found: found.checkpoint?.manifest.step, passedOver: found.passedOver });
	}
}
