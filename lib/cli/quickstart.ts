/**
 * npm run quickstart: fine-tunes the embedded body on the embedded posts with the guide's settings, prints the guide's table from
 * run.json, then lets a new process classify three sentences with the folder that was saved.
 *   npm run quickstart -- [--max-steps 50] [--seed 42] [--output-dir out] [--quiet]
 */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { ConfigError } from '../errors.js';
import { trainingTable } from '../report/table.js';
import { packageRoot } from '../runtime/build.js';
import type { RunRecord } from '../train/record.js';
import { Output } from './output.js';
import { followedRun } from './train.js';

const SENTENCES = [
	'good morning everyone hope you all have a lovely day',
	'i feel hopeless and i have lost all interest in the things i used to love',
	'does anyone know a good place to get a bike repaired on a sunday',
];

async function quickstart(output: Output, options: { readonly maxSteps: number; readonly seed: number; readonly outputDir: string }): Promise<void> {
	const posts = join(packageRoot, 'examples', 'depression');
	const { outputDir, timings } = await followedRun(
		{
			...{ model: join(packageRoot, 'models', 'minilm-l6'), train: join(posts, 'train.csv'), eval: join(posts, 'eval.csv') },
			...{ learningRate: 5e-5, perDeviceTrainBatchSize: 8, perDeviceEvalBatchSize: 8, numTrainEpochs: 3, lrSchedulerType: 'linear' },
			...{ adamBeta1: 0.9, adamBeta2: 0.999, adamEpsilon: 1e-8 },
			...options,
		},
		output,
	);
	const record = JSON.parse(await readFile(join(outputDir, 'run.json'), 'utf8')) as RunRecord;
	const { stepsPerSecond, trainSeconds, peakRssBytes } = timings;
	console.log(`\n${trainingTable(record.evaluations)}\n`);
	console.log(
		`${stepsPerSecond.toFixed(2)} steps/s, ${trainSeconds.toFixed(0)} s with evaluation, at most ${Math.round(peakRssBytes / 1e6)} MB of memory\n`,
	);

	console.log('A new process opens the saved folder:');
	const main = fileURLToPath(new URL('main.js', import.meta.url));
	const { status } = spawnSync(process.execPath, [main, 'predict', outputDir, ...SENTENCES], { stdio: 'inherit' });
	if (status !== 0) process.exitCode = status ?? 1;
}

function settings(): { readonly maxSteps: number; readonly seed: number; readonly outputDir: string; readonly quiet: boolean } {
	try {
		const { values } = parseArgs({
			options: {
				'max-steps': { type: 'string', default: '-1' },
				seed: { type: 'string', default: '42' },
				'output-dir': { type: 'string', default: join(packageRoot, 'out') },
				quiet: { type: 'boolean', default: false },
			},
		});
		return { maxSteps: Number(values['max-steps']), seed: Number(values.seed), outputDir: values['output-dir'], quiet: values.quiet };
	} catch (cause) {
		throw new ConfigError('OPTIONS_INVALID', (cause as Error).message, {
			cause,
			hint: 'npm run quickstart -- [--max-steps N] [--seed N] [--output-dir DIR] [--quiet]',
		});
	}
}

try {
	const { quiet, ...options } = settings();
	await quickstart(new Output({ quiet }), options);
} catch (error) {
	process.exitCode = new Output({}).fail(error);
}
