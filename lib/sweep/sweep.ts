/** Runs after one another, each with its own options, from first to last or from where an earlier call was broken off. */
import { join } from 'node:path';

import type { Fingerprint } from '../data/row.js';
import { Dataset } from '../dataset.js';
import { AbortError, TrainingError } from '../errors.js';
import type { ProblemType } from '../model/config.js';
import { requireWritable, writeFileWhole } from '../model/write-folder.js';
import { isSplit } from '../option-check.js';
import type { TrainerConfig } from '../options.js';
import { packageVersion } from '../runtime/build.js';
import { withLock } from '../runtime/cache.js';
import type { TrainerEvent } from '../train/events.js';
import { Trainer } from '../trainer.js';
import { planSweep, type SweepConfig } from './config.js';
import { bestFolder, clearRun, hasModel, runFolder, settleFolders } from './folders.js';
import { type MedianStop, medianStop, type Point } from './median.js';
import { type Metric, numberIn, settledMetric } from './metric.js';
import { bitsOf, type EndedRun, identityOf, readRecord, requireSame, type SweepRecord, writeRecord } from './record.js';
import type { Trial } from './space.js';
import { sweepTable } from './table.js';
import { type Verdict, verdictOf } from './verdict.js';

export type SweepEvent =
	| { readonly type: 'sweepBegin'; readonly runs: number; readonly ended: number; readonly outputDir: string }
	| { readonly type: 'runBegin'; readonly run: number; readonly options: Trial['options'] }
	| (TrainerEvent & { readonly run: number })
	| { readonly type: 'runEnd'; readonly run: number; readonly status: EndedRun['status']; readonly value: number | null };

export interface SweepOptions {
	/** Ends the run that is under way and the sweep, which rejects with AbortError; the same call goes on from there. */
	readonly signal?: AbortSignal | undefined;
	readonly onEvent?: (event: SweepEvent) => void;
}

export interface SweepResult {
	readonly record: SweepRecord;
	readonly verdict: Verdict;
	/** Folder of the sweep; the model is in `best` within it. */
	readonly outputDir: string;
	readonly best: string;
}

/** The rows every run is measured on. */
interface EvalRows {
	readonly dataset: Dataset;
	readonly labels: readonly unknown[];
}

/**
 * Trains every run that `outputDir` has no record of, one at a time, and keeps the model of the best. Throws ConfigError OPTIONS_INVALID with
 * all faults before anything is read, SWEEP_DIFFERENT where the folder is of another sweep, TrainingError SWEEP_BUSY where another process is at
 * it, SWEEP_FAILED where no run finished, and whatever is wrong with the data, the model or the machine.
 */
export async function sweep(config: SweepConfig, options: SweepOptions = {}): Promise<SweepResult> {
	const trials = planSweep(config);
	const folder = config.base.outputDir ?? 'trainer_output';
	const busy = (pid: number) => {
		throw new TrainingError('SWEEP_BUSY', `Expected ${folder} to be free, but process ${pid} is sweeping there`, { hint: 'wait for it to end' });
	};
	await requireWritable(folder);
	return withLock(join(folder, 'sweep.lock'), () => new Sweep(config, trials, folder, options).run(), busy);
}

class Sweep {
	readonly #config: SweepConfig;
	readonly #trials: readonly Trial[];
	readonly #folder: string;
	readonly #options: SweepOptions;
	readonly #train: Dataset;

	constructor(config: SweepConfig, trials: readonly Trial[], folder: string, options: SweepOptions) {
		this.#config = config;
		this.#trials = trials;
		this.#folder = folder;
		this.#options = options;
		this.#train = Dataset.from(config.base.train, config.base);
	}

	async run(): Promise<SweepResult> {
		const evalRows = await this.#readEval();
		let record = await this.#begin(await this.#fingerprints(evalRows));
		this.#tell({ type: 'sweepBegin', runs: this.#trials.length, ended: record.runs.length, outputDir: this.#folder });
		for (const trial of this.#trials) {
			if (record.runs.some(({ number }) => number === trial.number)) continue;
			this.#stopIfAborted(record);
			this.#tell({ type: 'runBegin', run: trial.number, options: trial.options });
			const { run, metric } = await this.#trainOne(trial, record, evalRows);
			record = { ...record, metric, runs: [...record.runs, run].sort((a, b) => a.number - b.number) };
			await this.#keep(record);
			this.#tell({
				type: 'runEnd',
				run: run.number,
				status: run.status,
				value: metric && run.metrics ? (numberIn(run.metrics, metric.name) ?? null) : null,
			});
		}
		const verdict = verdictOf(record);
		if (verdict === undefined) {
			const error = record.runs.find((run) => run.error !== undefined)?.error;
			throw new TrainingError('SWEEP_FAILED', `None of the ${record.runs.length} runs finished; the first said: ${error?.message}`, {
				hint: 'try smaller learning rates',
				details: { runs: record.runs.map(({ number, error: each }) => ({ run: number, ...each })) },
			});
		}
		return { record, verdict, outputDir: this.#folder, best: bestFolder(this.#folder) };
	}

	/** The record to go on from. A best run whose model somebody removed is to be run again. */
	async #begin(data: SweepRecord['data']): Promise<SweepRecord> {
		const identity = identityOf(this.#config);
		const planned = this.#trials.length;
		const there = await readRecord(this.#folder);
		if (there === undefined) {
			const versions = { distiltune: packageVersion(), node: process.versions.node };
			const record: SweepRecord = { format: 1, sweep: identity, versions, data, planned, metric: null, runs: [] };
			await writeRecord(this.#folder, record);
			return record;
		}
		requireSame(there, identity, data, planned, this.#folder);
		const best = verdictOf(there)?.ranking[0]?.run.number;
		const lost = best !== undefined && !(await hasModel(this.#folder, best)) ? best : undefined;
		const record = { ...there, planned, runs: there.runs.filter(({ number }) => number !== lost) };
		await this.#keep(record);
		return record;
	}

	/** Writes down what is known, then lets the folders follow. */
	async #keep(record: SweepRecord): Promise<void> {
		await writeRecord(this.#folder, record);
		const best = verdictOf(record)?.ranking[0]?.run.number;
		const others = record.runs.filter(({ number }) => number !== best).map(({ number }) => number);
		if (best !== undefined) await settleFolders(this.#folder, best, others);
		await writeFileWhole(join(this.#folder, 'sweep.md'), `# Sweep\n\n${sweepTable(record)}\n\n![Course and outcome of every run](sweep.svg)\n`);
		const { sweepPicture } = await import('./picture.js');
		await writeFileWhole(join(this.#folder, 'sweep.svg'), sweepPicture(record));
	}

	/** One run to its end. Only what the training itself cannot do is an outcome; every other error ends the sweep. */
	async #trainOne(trial: Trial, record: SweepRecord, evalRows: EvalRows): Promise<{ run: EndedRun; metric: Metric | null }> {
		const started = performance.now();
		const points: Point[] = [];
		let { metric } = record;
		let stop: MedianStop | undefined;
		let steps = 0;
		let total = 0;
		const ended = (rest: Pick<EndedRun, 'status'> & Partial<EndedRun>) => {
			const run: EndedRun = { ...trial, points, steps, seconds: (performance.now() - started) / 1000, metrics: null, right: null, ...rest };
			return { run, metric };
		};

		// A run that was broken off starts anew, so that the rule of the median sees all of its evaluations.
		await clearRun(this.#folder, trial.number);
		const { base, metric: wanted, goal, medianStop: stops = true } = this.#config;
		const outputDir = runFolder(this.#folder, trial.number);
		// Data is handed over as it was read, so that the split of a sweep is cut once.
		const config = {
			...base,
			...trial.options,
			train: this.#train,
			...(isSplit(base.eval) ? {} : { eval: evalRows.dataset }),
			outputDir,
		} as TrainerConfig;
		const others = record.runs.filter(({ status }) => status === 'finished').map((run) => run.points);
		const hopeless = new AbortController();
		const signal = this.#options.signal === undefined ? hopeless.signal : AbortSignal.any([hopeless.signal, this.#options.signal]);
		const trainer = new Trainer(config);
		try {
			const fit = trainer.fit({ signal });
			for await (const event of fit) {
				this.#tell({ ...event, run: trial.number });
				if (event.type === 'trainBegin') total = event.totalSteps;
				if (stop !== undefined || !('step' in event)) continue;
				steps = event.step;
				if (event.type !== 'evaluate') continue;
				metric ??= settledMetric(event.metrics, wanted, goal);
				points.push({ epoch: event.epoch, value: numberIn(event.metrics, metric.name) ?? Number.NaN });
				if (stops && event.step < total) stop = medianStop(points, others, metric);
				if (stop !== undefined) hopeless.abort('median');
			}
			await fit;
			if (stop !== undefined) return ended({ status: 'stopped', stop });
			// Of the model that was saved, which need not be that of the last evaluation.
			const metrics = await trainer.evaluate(evalRows.dataset);
			metric ??= settledMetric(metrics, wanted, goal);
			return ended({ status: 'finished', metrics: numbersOf(metrics, metric), right: await rightRows(trainer, evalRows) });
		} catch (error) {
			if (stop !== undefined && error instanceof AbortError) return ended({ status: 'stopped', stop });
			this.#stopIfAborted(record);
			if (!(error instanceof TrainingError)) throw error;
			return ended({ status: 'failed', error: { code: error.code, message: error.message } });
		} finally {
			await trainer.dispose();
		}
	}

	/** Of a split, the rows that each run holds back, cut as a run cuts them. */
	async #readEval(): Promise<EvalRows> {
		const { base } = this.#config;
		const dataset = isSplit(base.eval)
			? (await this.#train.split({ test: base.eval.split, seed: base.dataSeed ?? base.seed ?? 42 })).test
			: Dataset.from(base.eval as string, base);
		const labels: unknown[] = [];
		for await (const { label } of dataset) labels.push(label);
		return { dataset, labels };
	}

	async #fingerprints({ dataset }: EvalRows): Promise<SweepRecord['data']> {
		// Walked once to know what it holds; a split has walked it already.
		if (this.#train.fingerprint === undefined) for await (const _ of this.#train);
		return { train: this.#train.fingerprint as Fingerprint, eval: dataset.fingerprint as Fingerprint };
	}

	#tell(event: SweepEvent): void {
		this.#options.onEvent?.(event);
	}

	#stopIfAborted({ runs }: SweepRecord): void {
		const { signal } = this.#options;
		if (signal?.aborted !== true) return;
		const message = `The sweep was stopped after ${runs.length} of ${this.#trials.length} runs; the same call goes on with the rest`;
		throw new AbortError(message, { cause: signal.reason, details: { ended: runs.length, runs: this.#trials.length, outputDir: this.#folder } });
	}
}

/** Which rows get their label, where they have one. */
async function rightRows(trainer: Trainer<ProblemType>, { dataset, labels }: EvalRows): Promise<string | null> {
	const named = (await trainer.predict(dataset)).map((prediction) => ('label' in prediction ? prediction.label : undefined));
	if (named.includes(undefined)) return null;
	return bitsOf(named.map((label, row) => label === labels[row]));
}

/** What the record keeps of the metrics of a run: every single number, and the one that counts. */
function numbersOf(metrics: object, { name }: Metric): Record<string, number | null> {
	const numbers = Object.entries(metrics).filter(([, value]) => typeof value === 'number');
	return Object.fromEntries([...numbers, [name, numberIn(metrics, name)]]);
}
