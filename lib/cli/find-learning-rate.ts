/** distiltune train --find-learning-rate */
import { requireWritable } from '../model/write-folder.js';
import type { TrainerConfig } from '../options.js';
import { resolveConfig } from '../options.js';
import { flagOf } from '../report/command.js';
import { makeFolder } from '../runtime/make-folder.js';
import { rangeTable, writeRangeTest } from '../sweep/range-paper.js';
import { rangeTest } from '../sweep/range-test.js';
import { interruptible } from './interrupt.js';
import type { Output } from './output.js';
import { Progress } from './progress.js';

export async function findLearningRate(config: TrainerConfig, output: Output): Promise<void> {
	const { outputDir } = resolveConfig(config, flagOf);
	await requireWritable(outputDir);
	const progress = new Progress(output);
	const test = await interruptible(
		(signal) =>
			rangeTest(config, {
				signal,
				onEvent: (event) => {
					progress.show(event);
					if (output.json && event.type === 'step') output.emit(event);
				},
			}),
		() => output.say('Stopping after this step; once more to leave at once.'),
	).finally(() => progress.end());
	makeFolder(outputDir);
	const files = await writeRangeTest(outputDir, test);
	const { points: _, smoothed: __, config: ___, format: ____, ...result } = test;
	output.result({ type: 'result', ...result, files }, rangeTable(test));
	output.say(`Wrote ${files.json} and ${files.svg}; nothing of the model was kept`);
}
