import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row, TrainerConfig } from '../lib/index.js';
import { fixture } from './models.js';

// A run of the tiny model that takes a fraction of a second and uses everything a seed decides: order, dropout, a new head.

const signs = ['friend happy free', 'alone tired sad', 'lost force bad'];
export const labels = ['calm', 'worried', 'alarmed'];

export const rows: Row[] = Array.from({ length: 44 }, (_, row) => ({
	text: `${signs[row % 3]} feeling ${'and so '.repeat(row % 5)}`,
	label: labels[row % 3] as string,
}));

/** 3 epochs of 6 steps, the last of 4 rows; an evaluation and a checkpoint each. */
export const settings = {
	model: fixture('tiny-model'),
	train: rows,
	eval: rows.slice(0, 12),
	labels,
	learningRate: 1e-3,
	numTrainEpochs: 3,
	dtype: 'fp32',
	threads: 1,
	loggingSteps: 4,
} satisfies TrainerConfig;

export const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** All that a finished run leaves but what the clock decides. */
export function resultOf(outputDir: string): object {
	const state = JSON.parse(readFileSync(join(outputDir, 'trainer_state.json'), 'utf8'));
	const clockless = (entry: object) => Object.fromEntries(Object.entries(entry).filter(([name]) => !/runtime|per_second/.test(name)));
	const record = JSON.parse(readFileSync(join(outputDir, 'run.json'), 'utf8'));
	return {
		weights: sha256(join(outputDir, 'model.safetensors')),
		config: readFileSync(join(outputDir, 'config.json'), 'utf8'),
		state: { ...state, log_history: state.log_history.map(clockless), best_model_checkpoint: null },
		history: record.history,
		epochs: record.epochs,
		evaluations: record.evaluations.map(({ seconds: _, ...evaluation }: { seconds: number }) => evaluation),
		trainLoss: record.trainLoss,
		steps: record.steps,
	};
}
