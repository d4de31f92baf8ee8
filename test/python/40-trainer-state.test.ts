import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Trainer } from '../../lib/index.js';
import { fixture } from '../models.js';
import { posts, python } from './python.js';

interface State {
	readonly global_step: number;
	readonly max_steps: number;
	readonly num_train_epochs: number;
	readonly epoch: number;
	readonly log_history: readonly Record<string, number>[];
}

describe('trainer_state.json of a run', () => {
	const out = mkdtempSync(join(tmpdir(), 'distiltune-python-'));
	afterAll(() => rmSync(out, { recursive: true, force: true }));

	it("opens as Transformers' TrainerState and holds the run", async () => {
		const rows = (await posts(20)).map((text, row) => ({ text, label: ['calm', 'worried', 'alarmed'][row % 3] as string }));
		const trainer = new Trainer({
			model: fixture('tiny-model'),
			train: rows.slice(0, 16),
			eval: rows.slice(16),
			numTrainEpochs: 2,
			loggingSteps: 1,
			dtype: 'fp32',
			outputDir: out,
			truncation: 'silent',
		});
		const { history, evaluations } = await trainer.fit();
		await trainer.dispose();
		const state = python('trainer_state.py', { path: join(out, 'trainer_state.json') }) as State;
		expect(state).toMatchObject({ global_step: 4, max_steps: 4, num_train_epochs: 2, epoch: 2 });
		const logged = state.log_history.filter((entry) => 'loss' in entry);
		expect(logged).toEqual(
			history.map(({ step, epoch, loss, gradNorm, learningRate }) => ({ step, epoch, loss, grad_norm: gradNorm, learning_rate: learningRate })),
		);
		const measured = state.log_history.filter((entry) => 'eval_loss' in entry);
		expect(measured.map(({ step, eval_loss, eval_accuracy }) => [step, eval_loss, eval_accuracy])).toEqual(
			evaluations.map(({ step, metrics }) => [step, metrics.loss, metrics.accuracy]),
		);
	});
});
