/** What a run keeps of itself: checkpoints, its record, and Transformers' record. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parameterCount, parametersBesideEmbeddings } from '../model/config.js';
import { writeFileWhole } from '../model/write-folder.js';
import type { RunWatch } from '../report/diagnosis/watch.js';
import { packageVersion } from '../runtime/build.js';
import { isFolder } from '../runtime/is-file.js';
import { loadBase } from '../runtime/load.js';
import { checkpointFolder, rotateCheckpoints, saveCheckpoint } from '../train/checkpoint.js';
import type { Timings, TrainerEvent } from '../train/events.js';
import { rowsOf } from '../train/examples.js';
import type { LoopEnd, LoopState } from '../train/loop.js';
import { orderSeed } from '../train/order.js';
import { type History, type Latest, machineOf, type RunRecord, recordText, timingsOf, unfinishedRunFile } from '../train/record.js';
import { runStateFile, runStateText } from '../train/run-state.js';
import { trainerStateText } from '../train/trainer-state.js';
import type { Prepared } from './prepare.js';
import type { Papers } from './workplace.js';

type BestOf = LoopState['best']['best'];

export class Keeper {
	readonly #run: Prepared;
	readonly #history: History;
	readonly #watch: RunWatch;
	readonly #startedMs = performance.now();
	#latest: { readonly path: string; readonly state: LoopState } | undefined;

	constructor(run: Prepared, history: History, watch: RunWatch) {
		this.#run = run;
		this.#history = history;
		this.#watch = watch;
		if (run.from !== undefined) this.#latest = { path: run.from.checkpoint.folder, state: run.from.state.loop };
	}

	/** Folder of the newest checkpoint of this run. */
	get latest(): string | undefined {
		return this.#latest?.path;
	}

	/** Seconds of training so far, those of an earlier part too. */
	get #seconds(): number {
		return (this.#run.from?.state.seconds ?? 0) + (performance.now() - this.#startedMs) / 1000;
	}

	/** Saves a checkpoint, unless the newest is of this very place, and removes those there are too many of. Returns its folder. */
	async *save(state: LoopState): AsyncGenerator<TrainerEvent, string> {
		if (this.#latest !== undefined && samePlace(this.#latest.state, state)) return this.#latest.path;
		const { workplace, config } = this.#run;
		const { step, epoch } = state;
		const facts = { step, epoch, globalSamples: this.#globalSamples(state), world: 1 };
		// Weights and two moments in float32; the rest is small beside them.
		const bytes = 12 * parameterCount(workplace.model.shape);
		const { folder: path } = await saveCheckpoint(config.outputDir, facts, bytes, async (temporary) => {
			await workplace.writeModel(temporary);
			const counters = await workplace.saveMoments(temporary);
			await writeFile(join(temporary, 'trainer_state.json'), await this.#trainerState(state));
			await writeFile(join(temporary, runStateFile), this.#runState(state, facts.globalSamples, counters));
		});
		this.#latest = { path, state };
		yield { type: 'save', step, epoch, path };
		const best = state.best.best && checkpointFolder(config.outputDir, state.best.best.step);
		for (const message of await rotateCheckpoints(config.outputDir, config.saveTotalLimit || Number.POSITIVE_INFINITY, best ?? undefined))
			yield { type: 'warning', code: 'CHECKPOINT_NOT_REMOVED', message };
		await this.#writeUnfinished(await this.#record('running', state, state.best.best, null));
		return path;
	}

	/** What is written beside the model of a run that has ended so. */
	async papers({ finished, state, loss }: LoopEnd): Promise<Papers> {
		const record = await this.#record(finished ? 'finished' : 'interrupted', state, state.best.best, state.step === 0 ? null : loss);
		const trainerState = await this.#trainerState(state, finished ? { loss, timings: record.timings } : undefined);
		return { record, trainerState };
	}

	writeInterrupted({ record }: Papers): Promise<void> {
		return this.#writeUnfinished(record);
	}

	/** Tells what ended the run; `error` is thrown afterwards, so that what goes wrong here is of no account. */
	async writeFailed(error: unknown): Promise<void> {
		const { code = 'UNEXPECTED', message } = error as { code?: string; message: string };
		const record = await this.#record('failed', this.#history.latest, this.#latest?.state.best.best ?? null, null);
		await this.#writeUnfinished({ ...record, error: { code, message } }).catch(() => undefined);
	}

	async forgetUnfinished(): Promise<void> {
		await rm(join(this.#run.config.outputDir, unfinishedRunFile), { force: true });
	}

	#writeUnfinished(record: RunRecord): Promise<void> {
		return writeFileWhole(join(this.#run.config.outputDir, unfinishedRunFile), recordText(record));
	}

	async #record(status: RunRecord['status'], count: Latest, best: BestOf, trainLoss: number | null): Promise<RunRecord> {
		const { material, order, torchVersion, drawnFromSeed, identity } = this.#run;
		const history = this.#history;
		return {
			format: 1,
			status,
			config: settledConfig(this.#run),
			labels: material.labels,
			orderSeed: String(orderSeed(order)),
			drawnFromSeed,
			versions: { distiltune: packageVersion(), node: process.versions.node, libtorch: torchVersion },
			machine: { ...machineOf(loadBase()), dtype: identity.machine.dtype },
			data: material.data,
			...this.#watch.record,
			warnings: history.warnings,
			history: history.log,
			epochs: history.epochs,
			evaluations: history.evaluations,
			trainLoss,
			steps: count.step,
			best: await this.#best(best, count.step),
			timings: timingsOf(this.#seconds, count, history.evaluations),
		};
	}

	async #trainerState(state: LoopState, end?: { readonly loss: number; readonly timings: Timings }): Promise<string> {
		const { config, plan, material, workplace } = this.#run;
		return trainerStateText({
			options: config,
			plan,
			rows: rowsOf(material.train),
			entries: this.#history.entries,
			step: state.step,
			epoch: state.epoch,
			paddedTokens: state.paddedTokens,
			parameters: parametersBesideEmbeddings(workplace.model.shape),
			best: await this.#best(state.best.best, state.step),
			...(end && { end }),
		});
	}

	#runState(state: LoopState, globalSamples: number, counters: Parameters<typeof runStateText>[0]['counters']): string {
		const { config, schedule, order, identity, drawnFromSeed } = this.#run;
		return runStateText({
			format: 1,
			step: state.step,
			epoch: state.epoch,
			globalSamples,
			loop: state,
			counters,
			schedule,
			generators: {
				order: { algorithm: 'mt19937', compat: config.compat, seed: String(orderSeed(order)) },
				dropout: { algorithm: 'philox4x32-10', seed: config.seed },
			},
			seconds: this.#seconds,
			history: this.#history.state,
			watch: { ...this.#watch.state },
			drawnFromSeed,
			identity,
		});
	}

	/** The best evaluation so far; a checkpoint that is being saved counts as there. */
	async #best(best: BestOf, step: number): Promise<RunRecord['best']> {
		const { outputDir, metricForBestModel } = this.#run.config;
		if (best === null || metricForBestModel === undefined) return null;
		const folder = checkpointFolder(outputDir, best.step);
		const there = best.step === step || (await isFolder(folder));
		return { metric: metricForBestModel, ...best, checkpoint: there ? folder : null };
	}

	/** Rows of all passes so far. */
	#globalSamples({ pass, batches }: LoopState): number {
		const { config, plan, material } = this.#run;
		const size = config.perDeviceTrainBatchSize;
		const rowsPerPass = Math.min(rowsOf(material.train), plan.batchesPerEpoch * size);
		return pass * rowsPerPass + Math.min(batches * size, rowsPerPass);
	}
}

/** The options as the record has them: settled, and plain values. */
export function settledConfig({ config, sources, classWeights }: Prepared): Readonly<Record<string, unknown>> {
	const { callbacks: _, computeMetrics: __, ...options } = config;
	return { ...options, ...sources, classWeights };
}

function samePlace(a: LoopState, b: LoopState): boolean {
	return a.step === b.step && a.pass === b.pass && a.batches === b.batches && a.owes === b.owes;
}
