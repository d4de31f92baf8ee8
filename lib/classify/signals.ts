/** AbortSignals that many calls share: each has one listener of ours, however many calls wait on it, and none once they have ended. */

const watched = new WeakMap<AbortSignal, { readonly stops: Set<() => void>; readonly listener: () => void }>();

/** Calls `stop` once the signal aborts, which it must not have done yet; the function that is given back ends that. */
export function watch(signal: AbortSignal, stop: () => void): () => void {
	let entry = watched.get(signal);
	if (entry === undefined) {
		const stops = new Set<() => void>();
		const listener = () => {
			watched.delete(signal);
			for (const each of stops) each();
		};
		entry = { stops, listener };
		watched.set(signal, entry);
		signal.addEventListener('abort', listener, { once: true });
	}
	const { stops, listener } = entry;
	stops.add(stop);
	return () => {
		stops.delete(stop);
		if (stops.size > 0 || watched.get(signal)?.stops !== stops) return;
		watched.delete(signal);
		signal.removeEventListener('abort', listener);
	};
}
