// What int8 costs in accuracy: minilm-l6 trained with several seeds, each measured on the 2,000 posts of eval.csv in fp32 and in int8.
//   npm run bench -- int8-accuracy [--seeds 42,43,44] [--max-steps 625]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Classifier } from '../dist/index.js';
import { keep, root, table } from './machine.mjs';
import { modelFolder } from './models.mjs';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '42,43,44' }, 'max-steps': { type: 'string', default: '625' } } });
const data = (name) => join(root, 'examples', 'depression', name);
const model = await modelFolder('minilm-l6');

async function measured(folder, dtype) {
	const classifier = await Classifier.load(folder, { dtype });
	try {
		const { accuracy, loss } = (await classifier.evaluate(data('eval.csv'))).metrics;
		return { accuracy, loss };
	} finally {
		await classifier.dispose();
	}
}

const results = [];
for (const seed of values.seeds.split(',')) {
	const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
	try {
		const args = [
			'--model',
			model,
			'--train',
			data('train.csv'),
			'--seed',
			seed,
			'--max-steps',
			values['max-steps'],
			'--output-dir',
			folder,
			'--quiet',
		];
		const { status } = spawnSync(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'train', ...args], {
			stdio: ['ignore', 'ignore', 'inherit'],
		});
		if (status !== 0) throw new Error(`The training with seed ${seed} ended with ${status}`);
		results.push({ seed, fp32: await measured(folder, 'fp32'), int8: await measured(folder, 'int8') });
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}
const points = ({ fp32, int8 }) => (100 * (int8.accuracy - fp32.accuracy)).toFixed(2);
const rows = results.map((each) => [
	each.seed,
	each.fp32.accuracy,
	each.int8.accuracy,
	points(each),
	each.fp32.loss.toFixed(4),
	each.int8.loss.toFixed(4),
]);
console.log(table([['seed', 'accuracy fp32', 'int8', 'points', 'loss fp32', 'int8'], ...rows]));
keep('int8-accuracy', { maxSteps: values['max-steps'], results });
