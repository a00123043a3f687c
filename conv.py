import numpy as np, saltus, time, sys
T0=time.time(); seed=int(sys.argv[1]); cmp=bad=nets=0
while time.time()-T0<float(sys.argv[2]):
    seed+=1; r=np.random.default_rng(seed)
    c,y,x=int(r.integers(1,3)),int(r.integers(4,8)),int(r.integers(4,9)); nin=c*y*x
    co=int(r.integers(1,5)); k=int(r.integers(1,4))
    st=int(r.integers(1,3)); pad=int(r.integers(0,2))
    W=r.normal(.5,1,(co,c,k,k))*2
    try: cv=saltus.Conv2d(W,(c,y,x),stride=st,padding=pad)
    except TypeError as e: print(e); help(saltus.Conv2d.__init__); break
    oy=(y+2*pad-k)//st+1; ox=(x+2*pad-k)//st+1; n=co*oy*ox
    def build(kind):
        net=saltus.Network(); net.add_input("in",nin)
        rr=np.random.default_rng(seed+1)
        net.add_population("h","LIF",n,tau_mem=.01,tau_syn=.004,tau_ref=tr)
        dm=rr.integers(4)
        if kind=="conv":
            net.connect("in","h",cv); pre,post,wi=net.synapses("in->h")
            d=[None,1e-3,rr.uniform(0,4e-3,nin),rr.uniform(0,4e-3,len(pre))][dm]
            net=saltus.Network(); net.add_input("in",nin); net.add_population("h","LIF",n,tau_mem=.01,tau_syn=.004,tau_ref=tr)
            net.connect("in","h",cv,delay=d); build.s=(pre,post,wi,d)
        else:
            pre,post,wi,d=build.s
            if d is not None: d=np.full(len(pre),d) if np.ndim(d)==0 else (d if len(d)==len(pre) else d[pre])
            net.connect("in","h",saltus.Sparse(W.reshape(-1)[wi],pre,post,shape=(nin,n)),delay=d)
        net.add_population("o","LI",2); net.connect("h","o",np.random.default_rng(seed+2).normal(size=(n,2)))
        return net
    tr=r.uniform(0,4e-3,n)*(r.random(n)<.5) if r.random()<.5 else 2e-3
    S=2; kk=int(r.choice([0,10,100])); t=np.sort(r.uniform(0,.03,2*kk).reshape(2,kk)).reshape(-1)
    t=np.concatenate([np.sort(r.uniform(0,.03,kk)),np.sort(r.integers(0,15,kk)*2e-3)]); inp=(t,r.integers(0,nin,2*kk),np.array([0,kk,2*kk]))
    a=build("conv"); pre,post,wi,d=build.s
    # own conv reference of the synapse list
    M=np.zeros((nin,n)); 
    for o in range(co):
        for i in range(oy):
            for j in range(ox):
                for ci in range(c):
                    for u in range(k):
                        for v in range(k):
                            yy,xx=i*st+u-pad,j*st+v-pad
                            if 0<=yy<y and 0<=xx<x: M[(ci*y+yy)*x+xx,(o*oy+i)*ox+j]+=W[o,ci,u,v]
    M2=np.zeros((nin,n)); np.add.at(M2,(pre,post),W.reshape(-1)[wi]); cmp+=1
    if not np.allclose(M,M2): print("SYN",seed); bad+=1
    b=build("sparse"); ra,rb=(saltus.simulate(q,{"in":inp},.05) for q in(a,b)); nets+=1
    sa,sb=ra.spikes("h"),rb.spikes("h"); cmp+=len(sa)
    if len(sa)!=len(sb) or np.abs(sa.times-sb.times).max(initial=0)>1e-11: print("SPIKES",seed,len(sa),len(sb)); bad+=1; continue
    e=dict(spike_errors={"h":r.normal(size=len(sa))},integral_errors={"o":r.normal(size=(S,2))},maximum_errors={"o":r.normal(size=(S,2))})
    for w in (("weights",),("weights","delays","neurons","times")):
        A,B=saltus.backward(a,ra,**e,wanted=w,threads=1),saltus.backward(b,rb,**e,wanted=w,threads=2)
        ga=A["in->h.weight"].reshape(-1); gb=np.zeros_like(ga); np.add.at(gb,wi,B["in->h.weight"])
        cmp+=ga.size
        if np.abs(ga-gb).max()>1e-9*np.abs(ga).max()+1e-14: print("W",seed,w,np.abs(ga-gb).max(),np.abs(ga).max()); bad+=1
        if "in->h.delay" in A:
            da,db=A["in->h.delay"],B["in->h.delay"]
            if da.ndim==0: db=db.sum()
            elif len(da)!=len(db): q=np.zeros_like(da); np.add.at(q,pre,db); db=q
            cmp+=np.size(da)
            if np.abs(da-db).max()>1e-9*np.abs(da).max()+1e-13: print("D",seed,w,np.abs(da-db).max()); bad+=1
print("conv nets",nets,"cmp",cmp,"bad",bad,"last",seed)
