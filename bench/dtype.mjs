// What training in bf16 costs in accuracy: minilm-l6 on the posts of examples/depression, in both dtypes from each seed. Figures of learning, not
// of speed: without native bf16 the products go by way of fp32, with the same sums.
//   npm run bench -- dtype [--steps 300] [--seeds 42,43,44] [--eval-rows 2000]       --steps=-1: all three epochs
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Dataset, Trainer } from '../dist/index.js';
import { keep, machine, root, sum, table } from './machine.mjs';

const { values } = parseArgs({
	options: {
		steps: { type: 'string', default: '300' },
		seeds: { type: 'string', default: '42,43,44' },
		'eval-rows': { type: 'string', default: '2000' },
	},
});
const posts = join(root, 'examples', 'depression');
const dtypes = ['fp32', 'bf16'];

async function rowsOf(file, count) {
	const rows = [];
	for await (const { text, label } of Dataset.from(file)) {
		if (rows.length === count) break;
		rows.push({ text, label });
	}
	return rows;
}

const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
try {
	const evaluation = await rowsOf(join(posts, 'eval.csv'), Number(values['eval-rows']));
	const measured = { fp32: [], bf16: [] };
	const lines = [];
	for (const seed of values.seeds.split(',').map(Number)) {
		for (const dtype of dtypes) {
			const trainer = new Trainer({
				...{ model: join(root, 'models', 'minilm-l6'), train: join(posts, 'train.csv'), eval: evaluation },
				...{ seed, dtype, maxSteps: Number(values.steps), truncation: 'silent', saveStrategy: 'no', outputDir: join(folder, `${dtype}-${seed}`) },
			});
			const { metrics, timings } = await trainer.fit().finally(() => trainer.dispose());
			measured[dtype].push(metrics);
			lines.push([seed, dtype, metrics.accuracy.toFixed(4), metrics.loss.toFixed(4), (1 / timings.stepsPerSecond).toFixed(3)]);
			console.error(lines.at(-1).join(' '));
		}
	}
	const { cpu, cores, node } = machine();
	console.log(`minilm-l6, ${values.steps} steps, measured on ${evaluation.length} posts; ${cpu} x ${cores}, Node ${node}\n`);
	console.log(table([['seed', 'dtype', 'accuracy', 'loss', 'seconds a step'], ...lines]));
	const means = dtypes.map((dtype) => sum(measured[dtype].map(({ accuracy }) => accuracy)) / measured[dtype].length);
	const points = 100 * (means[1] - means[0]);
	console.log(
		`\nmean accuracy: fp32 ${means[0].toFixed(4)}, bf16 ${means[1].toFixed(4)}, ${points.toFixed(2)} points apart; at most 0.6 are allowed`,
	);
	keep('dtype', { steps: Number(values.steps), rows: evaluation.length, measured, points });
	if (Math.abs(points) > 0.6) process.exitCode = 1;
} finally {
	rmSync(folder, { recursive: true, force: true });
}
