/** distiltune train */
import { Trainer, type TrainerConfig, type TrainResult } from '../index.js';
import { resolveConfig } from '../options.js';
import { flagOf } from '../report/command.js';
import { trainingConfig } from './flags.js';
import { interruptible } from './interrupt.js';
import type { Output } from './output.js';
import { Progress } from './progress.js';

export async function trainVerb(flags: Readonly<Record<string, unknown>>, leftOver: readonly string[], output: Output): Promise<void> {
	const { resume, findLearningRate: onlyRate, ...options } = flags;
	const { config, remark } = await trainingConfig(options, leftOver);
	if (remark !== undefined) output.say(remark);
	if (onlyRate) return (await import('./find-learning-rate.js')).findLearningRate(config, output);
	const { metrics, outputDir, timings } = await followedRun(config, output, resume as boolean | string | undefined);
	if (output.json) output.emit({ type: 'result', metrics, outputDir, timings });
	else output.say(`${timings.stepsPerSecond.toFixed(2)} steps/s, at most ${Math.round(timings.peakRssBytes / 1e6)} MB of memory`);
}

/** A run from its options to its end, told as it goes; the first interrupt stops and saves it. `resume`: as for Trainer.fit. */
export async function followedRun(config: TrainerConfig, output: Output, resume?: boolean | string): Promise<TrainResult> {
	resolveConfig(config, flagOf);
	const progress = new Progress(output);
	const trainer = new Trainer(config);
	try {
		return await interruptible(
			async (signal) => {
				const run = trainer.fit({ signal, resume });
				for await (const event of run) {
					progress.show(event);
					if (output.json) output.emit(event);
				}
				return await run;
			},
			() => output.say('Stopping after this batch and saving; once more to leave at once.'),
		);
	} finally {
		progress.end();
		await trainer.dispose();
	}
}
