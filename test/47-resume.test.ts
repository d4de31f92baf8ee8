import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AbortError, Classifier, Trainer, type TrainerConfig, type TrainerEvent } from '../lib/index.js';
import { besideFindings } from './findings.js';
import { resultOf, rows, settings, sha256 } from './tiny-run.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let scratch: string;
beforeAll(() => {
	scratch = mkdtempSync(join(tmpdir(), 'distiltune-resume-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

let folders = 0;
const newFolder = () => join(scratch, `run-${folders++}`);

/** Runs until `stopAt` says so, or to the end. */
async function run(
	config: Partial<TrainerConfig>,
	{ resume, stopAt }: { resume?: boolean | string; stopAt?: (event: TrainerEvent) => boolean } = {},
) {
	const controller = new AbortController();
	// A callback is heard before the run goes on, so that it stops at this very place.
	const stopper = {
		step: (event: TrainerEvent) => stopAt?.(event) && controller.abort('enough'),
		epochEnd: (event: TrainerEvent) => stopAt?.(event) && controller.abort('enough'),
		epochBegin: (event: TrainerEvent) => stopAt?.(event) && controller.abort('enough'),
	};
	await using trainer = new Trainer({ ...settings, callbacks: [stopper], ...config });
	const events: TrainerEvent[] = [];
	const going = trainer.fit({ signal: controller.signal, resume });
	try {
		for await (const event of going) events.push(event);
		return { events, result: await going };
	} catch (error) {
		if (!(error instanceof AbortError)) throw error;
		return { events, stopped: error };
	}
}

const step = (wanted: number) => (event: TrainerEvent) => event.type === 'step' && event.step === wanted;
const epochEnd = (wanted: number) => (event: TrainerEvent) => event.type === 'epochEnd' && event.epoch === wanted;

describe('a run that was stopped and goes on ends in the same bytes', () => {
	const changes: Record<string, Partial<TrainerConfig>> = {
		plain: {},
		accumulating: { gradientAccumulationSteps: 4 },
		'accumulating as 4.18 does': { gradientAccumulationSteps: 4, compat: '4.18', numTrainEpochs: 4 },
		'grouped by length, saving by steps': { groupByLength: true, saveStrategy: 'steps', saveSteps: 4, evalStrategy: 'steps', evalSteps: 4 },
		'that keeps its best': { earlyStopping: { patience: 2 }, learningRate: 3e-3, numTrainEpochs: 8, saveStrategy: 'best' },
	};
	const unbroken: Record<string, object> = {};
	beforeAll(async () => {
		for (const [name, change] of Object.entries(changes)) {
			const outputDir = newFolder();
			await run({ ...change, outputDir });
			unbroken[name] = resultOf(outputDir);
		}
	});

	it.each<[string, keyof typeof changes, ((event: TrainerEvent) => boolean)[]]>([
		['at step 1', 'plain', [step(1)]],
		['in the middle of an epoch', 'plain', [step(9)]],
		['after the last step of an epoch', 'plain', [step(6)]],
		['in the evaluation of an epoch', 'plain', [epochEnd(2)]],
		['at the beginning of an epoch', 'plain', [(event) => event.type === 'epochBegin' && event.epoch === 1]],
		['after the last step of all', 'plain', [step(18)]],
		['in the last evaluation', 'plain', [epochEnd(3)]],
		['twice', 'plain', [step(4), step(13)]],
		['twice at the same place', 'plain', [step(4), (event) => event.type === 'epochBegin' || step(5)(event)]],
		['between accumulated steps', 'accumulating', [step(1)]],
		['with gradients left over from an epoch', 'accumulating as 4.18 does', [(event) => event.type === 'epochEnd' && event.step === 1]],
		['after a step and before its evaluation', 'grouped by length, saving by steps', [step(8)]],
		['before its best', 'that keeps its best', [step(3)]],
		['after its best', 'that keeps its best', [step(20)]],
	])('%s: %s', async (_, kind, stops) => {
		const outputDir = newFolder();
		for (const [index, stopAt] of stops.entries()) {
			const { stopped } = await run({ ...changes[kind], outputDir }, { resume: index > 0, stopAt });
			expect(stopped?.checkpoint).toMatch(/checkpoint-\d+$/);
			expect(existsSync(join(outputDir, 'config.json'))).toBe(false);
		}
		const { events } = await run({ ...changes[kind], outputDir }, { resume: true });
		expect(events[0]).toMatchObject({ type: 'trainBegin', resumedFrom: { step: expect.any(Number) } });
		expect(resultOf(outputDir)).toEqual(unbroken[kind]);
		expect(existsSync(join(outputDir, 'unfinished-run.json'))).toBe(false);
	});

	it('inside an accumulated step', async () => {
		const outputDir = newFolder();
		await using trainer = new Trainer({ ...settings, ...changes.accumulating, outputDir });
		// The signal is asked before every batch: of 4 and then 2 batches a step this is within the fourth step.
		let asked = 0;
		const signal = {
			reason: 'enough',
			get aborted() {
				return ++asked > 15;
			},
		} as AbortSignal;
		const error = await trainer.fit({ signal }).catch((reason: unknown) => reason);
		expect(error).toBeInstanceOf(AbortError);
		const { checkpoint = '' } = error as AbortError;
		const state = JSON.parse(readFileSync(join(checkpoint, 'run_state.json'), 'utf8'));
		expect(state.loop.waiting.length).toBeGreaterThan(0);
		expect(state.counters.pending).toBe(state.loop.waiting.length);
		await run({ ...changes.accumulating, outputDir }, { resume: true });
		expect(resultOf(outputDir)).toEqual(unbroken.accumulating);
	});

	it('from a checkpoint that is named, elsewhere, with other threads', async () => {
		const [outputDir, other] = [newFolder(), newFolder()];
		await run({ outputDir }, { stopAt: step(9) });
		await run({ outputDir: other, threads: 2 }, { resume: join(outputDir, 'checkpoint-6') });
		expect(resultOf(other)).toEqual(unbroken.plain);
	});
});

describe('going on', () => {
	it('takes the newest whole checkpoint and says which it passed over', async () => {
		const outputDir = newFolder();
		await run({ outputDir }, { stopAt: step(14) });
		writeFileSync(join(outputDir, 'checkpoint-14', 'optimizer.safetensors'), 'cut');
		const { events } = await run({ outputDir }, { resume: true });
		expect(events[0]).toMatchObject({ resumedFrom: { step: 12 } });
		expect(besideFindings(events).filter(({ type }) => type === 'warning')).toEqual([
			expect.objectContaining({ code: 'CHECKPOINT_PASSED_OVER', message: expect.stringContaining('optimizer.safetensors has 3 bytes') }),
		]);
	});

	it('where there is nothing to go on from begins anew, with a warning', async () => {
		const { events } = await run({ outputDir: newFolder(), maxSteps: 1 }, { resume: true });
		expect(events.find(({ type }) => type === 'warning')).toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
	});

	it('with other rows or options is refused, and leaves all as it was', async () => {
		const outputDir = newFolder();
		await run({ outputDir }, { stopAt: step(9) });
		const before = readdirSync(outputDir).sort();
		for (const change of [{ train: rows.slice(1) }, { learningRate: 1e-4 }, { numTrainEpochs: 4 }, { seed: 43 }])
			await expect(run({ outputDir, ...change }, { resume: true })).rejects.toMatchObject({ code: 'RESUME_MISMATCH' });
		expect(readdirSync(outputDir).sort()).toEqual(before);
	});

	it('refuses moments of another model', async () => {
		const outputDir = newFolder();
		const { stopped } = await run({ outputDir }, { stopAt: step(9) });
		const state = join(stopped?.checkpoint ?? '', 'run_state.json');
		// A checkpoint whose files are whole and belong together, but whose counts are of another run.
		const { saveCheckpoint } = await import('../lib/train/checkpoint.js');
		const text = readFileSync(state, 'utf8').replace('"pending": 0', '"pending": 1');
		const forged = newFolder();
		const facts = JSON.parse(readFileSync(join(stopped?.checkpoint ?? '', 'manifest.json'), 'utf8'));
		await saveCheckpoint(forged, facts, 1000, async (folder) => {
			for (const name of readdirSync(stopped?.checkpoint ?? '').filter((each) => each !== 'manifest.json'))
				cpSync(join(stopped?.checkpoint ?? '', name), join(folder, name));
			writeFileSync(join(folder, 'run_state.json'), text);
		});
		await expect(run({ outputDir: forged }, { resume: true })).rejects.toMatchObject({
			code: 'CHECKPOINT_DAMAGED',
			message: expect.stringContaining('missing'),
		});
	});
});

describe('what is kept', () => {
	const checkpoints = (outputDir: string) =>
		readdirSync(outputDir)
			.filter((name) => name.startsWith('checkpoint-'))
			.sort();

	it.each<[string, Partial<TrainerConfig>, string[]]>([
		['the last two epochs', {}, ['checkpoint-12', 'checkpoint-18']],
		['every epoch', { saveTotalLimit: 0 }, ['checkpoint-12', 'checkpoint-18', 'checkpoint-6']],
		['every few steps and the end', { saveStrategy: 'steps', saveSteps: 7, saveTotalLimit: 0 }, ['checkpoint-14', 'checkpoint-18', 'checkpoint-7']],
		['nothing', { saveStrategy: 'no' }, []],
	])('%s', async (_, change, wanted) => {
		const outputDir = newFolder();
		await run({ ...change, outputDir });
		expect(checkpoints(outputDir)).toEqual(wanted);
	});

	it('a checkpoint opens as a model', async () => {
		const outputDir = newFolder();
		await run({ outputDir });
		await using classifier = await Classifier.load(join(outputDir, 'checkpoint-12'));
		expect((await classifier.predict('happy')).tokens).toBe(3);
	});

	it('the best in any case, whose model is left at the end where that is asked for', async () => {
		// Far too high a rate at first, then nothing more to gain: the best evaluation is not the last.
		const change = { learningRate: 2e-2, numTrainEpochs: 6, loadBestModelAtEnd: true, saveTotalLimit: 1, lrSchedulerType: 'constant' } as const;
		const outputDir = newFolder();
		const { result } = await run({ ...change, outputDir });
		const losses = result?.evaluations.map(({ metrics }) => metrics.loss) ?? [];
		const best = losses.indexOf(Math.min(...losses));
		expect(best, `losses ${losses}`).toBeLessThan(losses.length - 1);
		expect(result?.metrics?.loss).toBe(losses[best]);
		expect(result?.bestCheckpoint).toBe(join(outputDir, `checkpoint-${6 * (best + 1)}`));
		expect(checkpoints(outputDir)).toEqual([`checkpoint-${6 * (best + 1)}`, `checkpoint-36`].sort());
		expect(sha256(join(outputDir, 'model.safetensors'))).toBe(sha256(join(result?.bestCheckpoint ?? '', 'model.safetensors')));
		const state = JSON.parse(readFileSync(join(outputDir, 'trainer_state.json'), 'utf8'));
		expect(state).toMatchObject({ best_metric: losses[best], best_global_step: 6 * (best + 1), best_model_checkpoint: result?.bestCheckpoint });
	});

	it('early stopping ends the run once nothing was gained for a while, as a finished one', async () => {
		const outputDir = newFolder();
		const { result, events } = await run({
			learningRate: 2e-2,
			lrSchedulerType: 'constant',
			numTrainEpochs: 30,
			earlyStopping: { patience: 2 },
			outputDir,
		});
		const losses = result?.evaluations.map(({ metrics }) => metrics.loss) ?? [];
		const best = losses.indexOf(Math.min(...losses));
		expect(losses.length).toBe(best + 3);
		expect(losses.length).toBeLessThan(30);
		expect(events.at(-1)?.type).toBe('trainEnd');
		expect(result?.metrics?.loss).toBe(losses[best]);
	});

	it('a metric nobody measures is refused with the names of those there are', async () => {
		await expect(run({ outputDir: newFolder(), metricForBestModel: 'acuracy' })).rejects.toMatchObject({
			code: 'METRIC_UNKNOWN',
			message: expect.stringMatching(/accuracy.*got "acuracy"/),
		});
	});
});

describe('callbacks', () => {
	it('hear every event in order and may stop, measure and save', async () => {
		const heard: string[] = [];
		const outputDir = newFolder();
		const note = (event: TrainerEvent) => heard.push(event.type);
		const callback = {
			...{ trainBegin: note, epochBegin: note, log: note, evaluate: note, save: note, epochEnd: note, warning: note, trainEnd: note },
			step: (event: TrainerEvent & { step: number }, control: { stop(): void; evaluate(): void; save(): void }) => {
				note(event);
				if (event.step === 2) control.evaluate();
				if (event.step === 3) control.save();
				if (event.step === 5) control.stop();
			},
		};
		const { events } = await run({ outputDir, callbacks: [callback] });
		expect(heard).toEqual(events.map(({ type }) => type));
		expect(besideFindings(events).map(({ type }) => type)).toEqual([
			...['trainBegin', 'epochBegin', 'step', 'step', 'evaluate', 'step', 'save', 'step', 'log', 'step'],
			...['epochEnd', 'evaluate', 'save', 'save', 'trainEnd'],
		]);
		expect(readdirSync(outputDir)).toContain('checkpoint-3');
	});

	it('that fail are warned of once each, and the run goes on', async () => {
		const failing = {
			step: () => Promise.reject(new Error('no network')),
			warning: () => {
				throw new Error('nor here');
			},
		};
		const { events, result } = await run({ outputDir: newFolder(), callbacks: [failing] });
		// Whichever comes first: what the diagnosis finds is heard too.
		const warned = besideFindings(events).filter(({ type }) => type === 'warning');
		expect(warned.length).toBe(2);
		expect(warned).toEqual(
			expect.arrayContaining([
				{ type: 'warning', code: 'CALLBACK_FAILED', message: 'Callback 1 failed at step: no network' },
				{ type: 'warning', code: 'CALLBACK_FAILED', message: 'Callback 1 failed at warning: nor here' },
			]),
		);
		expect(result?.evaluations.length).toBe(3);
	});
});

describe('a run that fails', () => {
	it('leaves a record that says why', async () => {
		const outputDir = newFolder();
		await expect(run({ outputDir, metricForBestModel: 'none' })).rejects.toMatchObject({ code: 'METRIC_UNKNOWN' });
		const record = JSON.parse(readFileSync(join(outputDir, 'unfinished-run.json'), 'utf8'));
		expect(record).toMatchObject({
			status: 'failed',
			steps: 6,
			trainLoss: null,
			error: { code: 'METRIC_UNKNOWN', message: expect.stringContaining('accuracy') },
		});
		expect(readdirSync(outputDir)).toEqual(['unfinished-run.json']);
	});
});
