import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
	Classifier,
	type MultiLabelPrediction,
	type ProblemType,
	type RegressionPrediction,
	type Row,
	Trainer,
	type TrainerConfig,
} from '../lib/index.js';
import type { RunRecord } from '../lib/train/record.js';
import { fixture, referenceJson, root } from './models.js';
import { readSafetensors, safetensors } from './safetensors.js';

// Runs of Transformers 5.23 on the tiny model, one with several labels a row and one with a number a row.

interface Recorded {
	problem_type: 'multi_label_classification' | 'regression';
	learning_rate: number;
	config: Record<string, unknown>;
	steps: { loss: number; grad_norm: number; learning_rate: number }[];
	eval_loss: number[];
}
const { texts, sets, values, runs } = referenceJson('problem-types.json.gz') as {
	texts: string[];
	sets: string[][];
	values: number[];
	runs: [Recorded, Recorded];
};
const [multi, regression] = runs;
const rowsOf = { multi_label_classification: sets, regression: values };
const rows = ({ problem_type }: Recorded): Row[] => texts.map((text, row) => ({ text, label: rowsOf[problem_type][row] as string[] | number }));
const names = ['calm', 'worried', 'alarmed'];

let folder: string;
let whole: string;
let headless: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-problems-'));
	whole = join(folder, 'whole');
	headless = join(folder, 'headless');
	for (const model of [whole, headless]) {
		cpSync(fixture('tiny-model'), model, { recursive: true });
		const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));
		writeFileSync(join(model, 'config.json'), JSON.stringify({ ...config, dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 }));
	}
	const weights = join(headless, 'model.safetensors');
	writeFileSync(weights, safetensors(readSafetensors(readFileSync(weights)).filter(({ name }) => !name.includes('classifier'))));
});
afterAll(() => rmSync(folder, { recursive: true }));

const asCsv = (recorded: Recorded): string =>
	`text,label\n${rows(recorded)
		.map(({ text, label }) => `${text},${Array.isArray(label) ? label.join('|') : label}\n`)
		.join('')}`;
const command = (...args: string[]) => promisify(execFile)(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args]);

let outputs = 0;
async function fitted(recorded: Recorded, changes: Partial<TrainerConfig> = {}) {
	const outputDir = join(folder, `out-${outputs++}`);
	const named = recorded === multi ? { labels: names, model: whole } : { model: headless };
	const settings = { problemType: recorded.problem_type, learningRate: recorded.learning_rate, loggingSteps: 1, dtype: 'fp32', threads: 1 } as const;
	await using trainer = new Trainer({ train: rows(recorded), eval: rows(recorded), ...named, ...settings, ...changes, outputDir });
	const { metrics } = await trainer.fit();
	const again = trainer.config.eval === undefined ? undefined : await trainer.evaluate();
	const predictions = await trainer.predict(rows(recorded));
	return { outputDir, metrics, again, predictions, record: JSON.parse(readFileSync(join(outputDir, 'run.json'), 'utf8')) as RunRecord };
}

describe.each([
	['several labels a row', multi, ['loss', 'accuracy', 'precision', 'recall', 'f1', 'micro', 'weighted', 'perLabel']],
	['a number a row', regression, ['loss', 'mse', 'mae', 'r2', 'pearson']],
])('%s', (_, recorded, metrics) => {
	let run: Awaited<ReturnType<typeof fitted>>;
	beforeAll(async () => {
		run = await fitted(recorded);
	});

	it('is trained as Transformers trains it', () => {
		const { history, evaluations } = run.record;
		expect(history.length).toBe(recorded.steps.length);
		for (const [step, { loss, grad_norm, learning_rate }] of recorded.steps.entries()) {
			const ours = history[step];
			expect(ours?.learningRate).toBe(learning_rate);
			// The tolerances of the reference curves: 1e-5 for losses, 1e-4 for norms, relative to those above 1.
			expect(Math.abs((ours?.loss ?? Number.NaN) - loss), `loss ${step}`).toBeLessThan(1e-5 * Math.max(1, loss));
			expect(Math.abs((ours?.gradNorm ?? Number.NaN) / grad_norm - 1), `norm ${step}`).toBeLessThan(1e-4);
		}
		for (const [epoch, loss] of recorded.eval_loss.entries()) {
			expect(Math.abs((evaluations[epoch]?.metrics.loss ?? Number.NaN) - loss)).toBeLessThan(1e-5 * Math.max(1, loss));
		}
	});

	it('is measured by its own metrics, which go into the records', () => {
		expect(Object.keys(run.metrics ?? {})).toEqual(metrics);
		expect(run.again).toEqual(run.metrics);
		expect(run.record.config.problemType).toBe(recorded.problem_type);
		const { log_history } = JSON.parse(readFileSync(join(run.outputDir, 'trainer_state.json'), 'utf8'));
		const numbers = Object.entries(run.metrics ?? {}).filter(([, value]) => typeof value === 'number');
		const snake = numbers.map(([name]) => `eval_${name}`);
		expect(Object.keys(log_history.findLast((entry: object) => 'eval_loss' in entry))).toEqual(expect.arrayContaining(snake));
	});

	it("leaves a config.json of Transformers' problem type and labels", () => {
		expect(JSON.parse(readFileSync(join(run.outputDir, 'config.json'), 'utf8'))).toMatchObject({
			problem_type: recorded.problem_type,
			id2label: recorded === multi ? { 0: 'calm', 1: 'worried', 2: 'alarmed' } : recorded.config.id2label,
			label2id: recorded === multi ? { calm: 0, worried: 1, alarmed: 2 } : recorded.config.label2id,
		});
	});

	it('is served from its folder as the trainer itself predicts', async () => {
		const { problem_type: problemType } = recorded;
		await using classifier = await Classifier.load<ProblemType>(run.outputDir, { problemType });
		expect(classifier.problemType).toBe(problemType);
		const predictions = await classifier.predict(texts);
		expect(predictions.length).toBe(texts.length);
		for (const [row, ours] of predictions.entries()) {
			const theirs = run.predictions[row];
			// Engine and predictor are two programs in float32; logits here are below 10.
			if ('value' in ours) expect(ours).toEqual({ ...theirs, value: expect.closeTo((theirs as RegressionPrediction).value, 4) });
			else if ('labels' in ours) {
				expect(Object.keys(ours.scores)).toEqual(names);
				expect(ours.labels).toEqual(names.filter((name) => (ours.scores[name] ?? 0) > 0.5));
				expect(ours.labels).toEqual((theirs as MultiLabelPrediction).labels);
				for (const name of names) expect(ours.scores[name]).toBeCloseTo((theirs as MultiLabelPrediction).scores[name] ?? Number.NaN, 5);
			} else expect.unreachable();
		}
	});

	it('is evaluated from its folder, by the command too', async () => {
		const csv = join(folder, `${recorded.problem_type}-eval.csv`);
		writeFileSync(csv, asCsv(recorded));
		await using classifier = await Classifier.load<ProblemType>(run.outputDir);
		const { metrics: measured, rows: count } = await classifier.evaluate(csv);
		expect(count).toBe(texts.length);
		expect(Object.keys(measured)).toEqual(metrics);
		// As above: two programs in float32.
		expect(measured.loss).toBeCloseTo(run.metrics?.loss ?? Number.NaN, 5);
		const { stdout } = await command('eval', run.outputDir, '--data', csv, '--json');
		expect(JSON.parse(stdout)).toMatchObject({ rows: texts.length, metrics: JSON.parse(JSON.stringify(measured)) });
		const { stdout: words } = await command('eval', run.outputDir, '--data', csv);
		expect(words).toContain(recorded === multi ? 'rows with exactly their labels' : 'mean absolute error');
		const { stdout: said } = await command('predict', run.outputDir, texts[0] as string);
		expect(said.trim().split('\t').at(-1)).toBe(texts[0]);
	});

	it('is not calibrated, tuned, or taken for another kind', async () => {
		await using classifier = await Classifier.load<ProblemType>(run.outputDir);
		await expect(classifier.calibrate(rows(recorded))).rejects.toMatchObject({ name: 'ConfigError', code: 'PROBLEM_MISMATCH' });
		await expect(classifier.learn(rows(recorded))).rejects.toMatchObject({ name: 'ConfigError', code: 'PROBLEM_MISMATCH' });
		await expect(classifier.tuneThreshold(rows(recorded))).rejects.toMatchObject({ name: 'ConfigError', code: 'PROBLEM_MISMATCH' });
		await expect(Classifier.load(run.outputDir, { problemType: 'single_label_classification' })).rejects.toMatchObject({
			name: 'ModelError',
			code: 'PROBLEM_MISMATCH',
			message: `Expected a model for single_label_classification, but ${run.outputDir} is one for ${recorded.problem_type}`,
		});
	});

	it('holds rows back where a share is to be measured on', async () => {
		const { record } = await fitted(recorded, { eval: { split: 0.2 }, maxSteps: 1 });
		expect(record.data.eval).toEqual({ split: 0.2, rows: 8 });
		expect(record.evaluations[0]?.rows).toBe(8);
	});
});

it('reads files as it reads memory', async () => {
	const history = async (train: string | Row[], recorded: Recorded) => (await fitted(recorded, { train, eval: train, maxSteps: 3 })).record.history;
	for (const recorded of runs) {
		const jsonl = join(folder, `${recorded.problem_type}.jsonl`);
		writeFileSync(
			jsonl,
			rows(recorded)
				.map((row) => `${JSON.stringify(row)}\n`)
				.join(''),
		);
		const csv = join(folder, `${recorded.problem_type}.csv`);
		writeFileSync(csv, asCsv(recorded));
		const expected = await history(rows(recorded), recorded);
		expect(await history(jsonl, recorded)).toEqual(expected);
		expect(await history(csv, recorded)).toEqual(expected);
	}
});
