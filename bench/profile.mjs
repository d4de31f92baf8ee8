// Where the time of our training step goes, in milliseconds a step by operation; batches of real posts from all over the epoch of seed 42.
//   npm run bench -- profile [--model distilbert-base|minilm-l6] [--steps 12] [--threads 0] [--dtype fp32|bf16] [--grouped]
// With --threads 1 by the thread's own time, which others on the machine disturb less.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Tokenizer } from '../dist/index.js';
import { batchesOf, posts, spread } from './batches.mjs';
import { benchProgram, Ceilings, keep, machine, median, sum, table } from './machine.mjs';
import { modelFolder } from './models.mjs';
import { operations, shapeOf } from './work.mjs';

const { values } = parseArgs({
	options: {
		model: { type: 'string', default: 'distilbert-base' },
		steps: { type: 'string', default: '12' },
		threads: { type: 'string', default: '0' },
		dtype: { type: 'string', default: 'fp32' },
		grouped: { type: 'boolean', default: false },
	},
});
const warmUp = 2;
const model = await modelFolder(values.model);
const shape = shapeOf(model);
const rows = await posts(model);
const drawn = spread(batchesOf(rows, { groupByLength: values.grouped }), warmUp + Number(values.steps), rows);

async function writeIds(path) {
	const tokenizer = await Tokenizer.load(model);
	const labels = [...new Set(rows.labels)].sort();
	const line = async (row) => {
		const { ids } = await tokenizer.encodeBatch([rows.texts[row]], { maxLength: 512 });
		return `${labels.indexOf(rows.labels[row])} ${ids.join(' ')}\n`;
	};
	const texts = [];
	for (const batch of drawn) {
		for (const row of batch) texts.push(await line(row));
		texts.push('\n');
	}
	tokenizer.dispose();
	writeFileSync(path, texts.join(''));
}

const program = await benchProgram('bench_step');
const ceilings = await Ceilings.start(values.threads);
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
let lines;
try {
	const ids = join(folder, 'ids.txt');
	await writeIds(ids);
	await ceilings.measure();
	const told = execFileSync(program, [ids, shape.dim, shape.hidden, values.threads, values.dtype].map(String), {
		encoding: 'utf8',
		maxBuffer: 1 << 26,
	});
	await ceilings.measure();
	lines = told
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line));
} finally {
	ceilings.stop();
	rmSync(folder, { recursive: true, force: true });
}

const measured = lines.slice(warmUp);
const mean = (numbers) => sum(numbers) / numbers.length;
const names = Object.keys(measured[0].of).sort((a, b) => mean(measured.map(({ of }) => of[b])) - mean(measured.map(({ of }) => of[a])));
const seconds = mean(measured.map((step) => step.seconds));
const each = Object.fromEntries(names.map((name) => [name, mean(measured.map(({ of }) => of[name]))]));
each['the rest'] = seconds - sum(Object.values(each));
const work = drawn.slice(warmUp).map((batch) =>
	operations(
		shape,
		batch.map((row) => rows.lengths[row]),
	),
);
const shares = measured.map((step, index) => work[index] / step.seconds / 1e9);
const peak = median(ceilings.rounds.map((round) => round[values.dtype]));
const { cpu, cores } = machine();
console.log(
	`${values.model}, ${values.dtype}, batch 8, ${values.grouped ? 'grouped by length' : 'seed-42 order'}, mean of ${measured.length} steps, ${mean(measured.map(({ tokens }) => tokens)).toFixed(0)} tokens a step, ${cpu} x ${cores}, load ${machine().loadAverage.toFixed(1)}`,
);
console.log(
	`${ceilings.told}; real work at ${median(shares).toFixed(0)} GFLOP/s, ${((100 * median(shares)) / peak).toFixed(0)}% of the ${values.dtype} peak`,
);
const row = (name, value) => [name, (1000 * value).toFixed(1), `${((100 * value) / seconds).toFixed(1)}%`];
console.log(table([['operation', 'ms a step', 'share'], ...Object.entries(each).map(([name, value]) => row(name, value)), row('the step', seconds)]));
keep(`profile-${values.model}${values.dtype === 'bf16' ? '-bf16' : ''}${values.grouped ? '-grouped' : ''}`, {
	model: values.model,
	dtype: values.dtype,
	threads: ceilings.rounds[0].threads,
	seconds,
	of: each,
	steps: measured,
	ceilings: ceilings.rounds,
});
